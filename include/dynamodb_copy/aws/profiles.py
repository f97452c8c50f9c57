"""What an AWS profile says of itself."""

from __future__ import annotations

import botocore.session
from botocore.exceptions import BotoCoreError, ProfileNotFound

from dynamodb_copy.aws.faults import translated
from dynamodb_copy.errors import ConnectionMissingError


def profile_region(profile: str) -> str | None:
    """The region in the profile's own section; raises ConnectionMissingError when there is no such profile.

    Never the environment's, for a profile is not completed from elsewhere.
    """
    try:
        region: str | None = botocore.session.Session(profile=profile).get_scoped_config().get("region")
    except ProfileNotFound as error:
        raise ConnectionMissingError(
            f"profile {profile!r}: there is no such AWS profile; add [profile {profile}] to the AWS config file, or "
            "correct --profile"
        ) from error
    except BotoCoreError as error:
        raise translated(error, f"profile {profile!r}") from error
    return region
