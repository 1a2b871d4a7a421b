"""Read receipts, serverless. From the outside in; each imports only from below, and from the last two lines:

handlers/    http, page, sockets, streams, queues        the functions, by what wakes them
edges        http, sockets                               a request in, an answer or a refusal out
             tim_rest                                    TIM's server API, translated
             page/                                       the chat page, and the JavaScript client
             documents                                   OpenAPI and AsyncAPI, made from all below
deeds        read_receipts, which marks read by chat    what readers and senders do
             catch_up                                    what a sender missed while away
             groups, chat, preferences                   what members do, and administrators
             presence                                    sockets that come and go
             read_stream, message_stream, mark_stream    what follows from what users did
             entitlement                                 who may have read receipts
             counting                                    how many have read
             audit                                       whether that is right, recomputed from the reads
             fan_out                                     a message to the members of a large group
             push, webhook                               frames to sockets, events to the product's back end
wire         requests, answers                           the shapes of what is said, checked and spelt
tables       store/                                      one module a table, with its expressions
ground       core/ (pure), codes, limits, throttle, tokens, usersig, keys, queue, settings, clock, log, kept, together
"""
