"""The stack as it is deployed, and a local AWS to deploy it to.

template    what `chalice package` makes, with `.chalice/resources.yaml` merged in and mended
deploy      a template becomes a stack, by the AWS CLI, on AWS or on a local AWS
local_aws   MiniStack: a local AWS with real Lambda workers, streams and WebSockets
run         `make run`: all of it, with demo users, until Ctrl-C
token       `make token`: a token for a user of the running stack
audit       `make audit`: whether all counts are what the reads make them
demo        `make demo`: a scripted conversation, and what its sender sees
"""
