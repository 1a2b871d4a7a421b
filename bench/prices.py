"""What AWS charges: list prices of us-east-1, without free tiers, discounts and taxes. The one place they are in."""

from dataclasses import dataclass

# As published on aws.amazon.com/{dynamodb,lambda,api-gateway}/pricing; look there before you rely on them. DynamoDB's
# on-demand prices are those since 1 November 2024, when they were halved.
AS_OF = "2025-01"
REGION = "us-east-1"

MILLION = 1_000_000

# DynamoDB, on demand, standard tables. Reading a stream is free for Lambda's triggers.
WRITE_UNIT_USD = 0.625 / MILLION
READ_UNIT_USD = 0.125 / MILLION
STORED_GB_MONTH_USD = 0.25

# Lambda, x86. Duration is billed by the memory that is configured.
INVOCATION_USD = 0.20 / MILLION
GB_SECOND_USD = 0.0000166667

# API Gateway: a REST API's first 333 million calls of a month; a WebSocket API's first billion messages, by 32 KB.
HTTP_CALL_USD = 3.50 / MILLION
SOCKET_MESSAGE_USD = 1.00 / MILLION
SOCKET_MINUTE_USD = 0.25 / MILLION
SOCKET_MESSAGE_BYTES = 32 * 1024

# What the functions are given (.chalice/config.json), and what that is of one processor: Lambda gives a whole one at
# 1,769 MB.
LAMBDA_GB = 0.5
_MEMORY_OF_ONE_PROCESSOR_GB = 1769 / 1024

# An assumption: how long a function waits for one request to DynamoDB or API Gateway within a region, in ms. Requests
# that are made side by side are counted as if they came one after the other, for both designs.
ROUND_TRIP_MS = 5.0


@dataclass(frozen=True)
class Usage:
    """What was used of AWS."""

    write_units: float = 0
    read_units: float = 0
    invocations: float = 0
    http_calls: float = 0
    socket_messages: float = 0
    requests: float = 0  # to DynamoDB
    cpu_ms: float = 0  # on one whole processor

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def times(self, factor: float) -> "Usage":
        return Usage(*(getattr(self, name) * factor for name in self.__dataclass_fields__))

    @property
    def gb_seconds(self) -> float:
        """What Lambda bills: processor time at the function's share of a processor, and the waiting."""
        computing_ms = self.cpu_ms * _MEMORY_OF_ONE_PROCESSOR_GB / LAMBDA_GB
        waiting_ms = (self.requests + self.socket_messages) * ROUND_TRIP_MS
        return (computing_ms + waiting_ms) / 1000 * LAMBDA_GB

    @property
    def bill(self) -> dict[str, float]:
        """USD by what it is for."""
        return {
            "DynamoDB writes": self.write_units * WRITE_UNIT_USD,
            "DynamoDB reads": self.read_units * READ_UNIT_USD,
            "Lambda invocations": self.invocations * INVOCATION_USD,
            "Lambda duration": self.gb_seconds * GB_SECOND_USD,
            "API Gateway calls": self.http_calls * HTTP_CALL_USD,
            "API Gateway messages": self.socket_messages * SOCKET_MESSAGE_USD,
        }

    @property
    def usd(self) -> float:
        return sum(self.bill.values())
