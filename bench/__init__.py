"""Measurements of the service beside the usual design, in one run: `make bench`.

prices              what AWS charges, dated
meter               what handlers ask of AWS, by hooks on botocore
workbench           the handlers in this process, on a local DynamoDB
baseline            the usual design
capacity, compute   units, requests, pushes, money; processor time, cold starts, memory
latency, load       on the deployed stack, with the Python client
hot_spots           how even the keys spread the writes
large_group         10,000 and 100,000 members for real
limits_simulation   what AWS's limits would do to a million
report, plots       the table on screen, results.json, the pictures
cost                an operator's calculator with the same numbers
"""
