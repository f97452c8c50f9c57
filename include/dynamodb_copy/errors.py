"""Everything that can go wrong, in two branches: try again, or do not.

CopyError
├── TransientError                 a later attempt may succeed
│   ├── ServiceUnavailableError    refused connections, swallowed packets, 5xx, throttling beyond patience
│   ├── LeaseLostError             another attempt works on this segment now
│   └── TargetBusyError            another run holds the target
└── PermanentError                 a person has to act; never retried
    ├── JobFileError               what a job file says cannot be
    ├── ConnectionMissingError     a named connection or profile does not exist
    ├── AccessError                an action is not permitted, or credentials, certificate or endpoint are wrong
    ├── TableError                 a table is missing, in a wrong state, or of another shape
    ├── BucketRefusedError         a bucket is missing, public, in another region or of another owner
    ├── BackupRefusedError         a backup is corrupt, incomplete, foreign or changed
    ├── TargetRefusedError         writing there would alter what is not ours to alter
    ├── ItemRefusedError           the target does not accept an item
    ├── RequestRefusedError        the service calls a request invalid
    ├── RunIncompleteError         verify or seal before every planned segment is done
    ├── MirrorRefusedError         a guard of mirror holds
    ├── ChangesLostError           changes were lost before they could be read
    ├── TooManyDifferencesError    more keys differ than are worth listing
    └── ContentDiffersError        the target is not what was read
Each message says what was found, what is allowed and what to do next.
"""

from __future__ import annotations


class CopyError(Exception):
    """A failure that names its cause and the operator's next step."""


class TransientError(CopyError):
    """A later attempt may succeed."""


class ServiceUnavailableError(TransientError):
    """The service did not answer, or asked to come back later."""

    def __init__(self, message: str, *, throttled: bool = False) -> None:
        super().__init__(message)
        self.throttled = throttled


class LeaseLostError(TransientError):
    """Another attempt holds the lease: this one must not send anything any more."""


class TargetBusyError(TransientError):
    """Another run holds the target's run lease."""


class PermanentError(CopyError):
    """Trying again does not help."""


class JobFileError(PermanentError):
    """A job file is wrong; the message lists every wrong field at once."""


class ConnectionMissingError(PermanentError):
    """A connection or profile that a job names does not exist."""


class AccessError(PermanentError):
    """An action is not permitted, or the connection's credentials, certificate, endpoint or proxy are wrong."""


class TableError(PermanentError):
    """A table is missing, in a wrong state or of another shape than the job needs."""


class BucketRefusedError(PermanentError):
    """A bucket is missing, public, in another region or of another owner."""


class DrillFailedError(PermanentError):
    """A drill did not prove that the table can be restored within its objectives."""


class ExpirySuspendedError(PermanentError):
    """The newest backup is so much smaller than the one before it that no older one is deleted."""


class BackupRefusedError(PermanentError):
    """A backup is corrupt, incomplete, foreign or changed; the message names the file."""


class TargetRefusedError(PermanentError):
    """Writing to this target could alter what this job does not own."""


class ItemRefusedError(PermanentError):
    """The target refuses items; they are counted and named by key hash."""


class RequestRefusedError(PermanentError):
    """The service calls a request invalid."""


class RunIncompleteError(PermanentError):
    """A later phase was asked for while a planned segment is not done."""


class MirrorRefusedError(PermanentError):
    """A guard of mirror holds; nothing was deleted."""


class ChangesLostError(PermanentError):
    """Changes were lost before they could be read."""


class TooManyDifferencesError(PermanentError):
    """More keys differ than are worth listing: copying anew is the repair."""


class ContentDiffersError(PermanentError):
    """The target does not hold what was read from the source."""
