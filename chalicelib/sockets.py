"""The edge of the WebSocket: a frame in, an answer with its requestID out."""

from time import perf_counter

from chalice.app import Response
from msgspec.structs import replace

from chalicelib import answers, chat, codes, log, presence, push, read_receipts, requests, throttle
from chalicelib.codes import Refusal


def connect(connection_id: str, query: dict[str, str]) -> Response:
    """Let a client with a good token in: 200, or the status of the refusal, which is all a handshake can say."""
    try:
        presence.connect(connection_id, query.get("token", ""), query.get("userID", ""), query.get("sdkVersion", ""))
    except Refusal as refusal:
        return _refused(connection_id, refusal)
    except Exception as error:  # noqa: BLE001  # the edge: nothing may pass it but an answer
        log.failure("connect", error, connection=connection_id)
        return _refused(connection_id, Refusal(codes.SERVER_ERROR))
    return Response("")


def _refused(connection_id: str, refusal: Refusal) -> Response:
    log.count("Refused", 1, str(refusal.code.number))
    log.line("connect", connection=connection_id, code=refusal.code.number)
    outcome = answers.outcome(refusal.code, refusal.desc)
    return Response(answers.encode(outcome).decode(), status_code=refusal.code.http_status)


def close(connection_id: str) -> None:
    """Forget a socket that has ended."""
    presence.disconnect(connection_id)


def hear(connection_id: str, body: str) -> None:
    """Do what a frame asks, and answer it on the same socket."""
    started = perf_counter()
    raw = body.encode(errors="surrogatepass")
    request_id = requests.request_id(raw)
    try:
        answer = _answer(connection_id, requests.frame(raw))
    except Refusal as refusal:
        answer = answers.FrameAnswer(request_id, refusal.code.number, refusal.desc)
    except Exception as error:  # noqa: BLE001  # the edge: nothing may pass it but an answer
        log.failure("frame", error, connection=connection_id)
        answer = answers.FrameAnswer(request_id, codes.SERVER_ERROR.number, codes.SERVER_ERROR.desc)
    push.reply(connection_id, answers.encode(answer))
    if answer.code != codes.OK.number:
        log.count("Refused", 1, str(answer.code))
    ms = round((perf_counter() - started) * 1000, 1)
    log.line("frame", connection=connection_id, code=answer.code, ms=ms)


def _answer(connection_id: str, frame: requests.Frame) -> answers.FrameAnswer:
    """Do what a frame asks. Refuses as the same HTTP call does."""
    caller = presence.speaker(connection_id)
    throttle.check(caller.user_id)
    done = answers.FrameAnswer(frame.requestID, codes.OK.number, codes.OK.desc)
    match frame:
        case requests.SendMessageFrame():
            return replace(done, message=chat.send(caller, frame))
        case requests.SendReadReceiptsFrame():
            sent = read_receipts.send(caller, frame)
            return replace(done, resultList=sent.resultList, withheld=sent.withheld)
        case requests.PingFrame():
            return done
