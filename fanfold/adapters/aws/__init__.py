"""The ports in an AWS account; needs the extra `aws`."""
