"""Everything that talks to AWS; nothing above it imports boto3 or botocore."""
