"""Read receipts, serverless. Imports run one way, downwards:

edges        http, sockets                     a request in, an answer or a refusal out
             requests, answers                 the shapes on the wire
deeds        groups, chat, read_receipts       what users do
             presence                          sockets that come and go
             read_stream, message_stream       what follows from what users did, announced by push
tables       store/                            one module a table, with its expressions
what is so   core/                             pure: conversation, audience, message, tiles, receipt
ground       codes, limits, tokens, settings, clock
"""
