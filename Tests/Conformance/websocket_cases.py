"""The cases of the public Autobahn test suite's list, by its numbers, made anew from what each is
about: sections 1 to 10. Sections 12 and 13 are in deflate_cases.py; all are 517.
"""

import time

from websocket_client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_payload,
    frame,
)

CASES = {}
KB, MB = 1 << 10, 1 << 20


def case(number, run):
    assert number not in CASES, number
    CASES[number] = run


# What a case sends (bytes, in one go, octet by octet or frame by frame), and what comes back.


def exchange(sent, *expected, chop=None, code=1000):
    """Sends bytes, wants messages, then a close: ours with 1000, the server's with another code."""

    def run(client):
        data = sent if isinstance(sent, bytes) else b"".join(sent)
        try:
            if chop:
                client.send_chopped(data, chop)
            else:
                client.send(data)
        except OSError:
            assert code != 1000, "the server closed"
        client.expect(*expected)
        if code == 1000:
            client.close()
        else:
            client.expect_close(code)

    return run


def echo(opcode, message, chop=None):
    return exchange(frame(opcode, message), (opcode, message), chop=chop)


def fails(sent, *expected, code=1002, chop=None):
    return exchange(sent, *expected, code=code, chop=chop)


# 1: framing

for part, opcode, byte in ((1, TEXT, b"*"), (2, BINARY, b"\xfe")):
    for index, count in enumerate((0, 125, 126, 127, 128, 65535, 65536), 1):
        case(f"1.{part}.{index}", echo(opcode, byte * count))
    case(f"1.{part}.8", echo(opcode, byte * 65536, chop=997))

# 2: pings and pongs

HELLO = b"Hello, world!"
BLOB = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
case("2.1", exchange(frame(PING), (PONG, b"")))
case("2.2", exchange(frame(PING, HELLO), (PONG, HELLO)))
case("2.3", exchange(frame(PING, BLOB), (PONG, BLOB)))
case("2.4", exchange(frame(PING, b"\xfe" * 125), (PONG, b"\xfe" * 125)))
case("2.5", fails(frame(PING, b"\xfe" * 126)))
case("2.6", exchange(frame(PING, b"\xfe" * 125), (PONG, b"\xfe" * 125), chop=1))
case("2.7", exchange(frame(PONG)))
case("2.8", exchange(frame(PONG, b"unsolicited pong payload")))
case(
    "2.9",
    exchange(
        [frame(PONG, b"unsolicited pong payload"), frame(PING, b"ping payload")],
        (PONG, b"ping payload"),
    ),
)
TEN = [b"payload-%d" % index for index in range(10)]
for number, chop in (("2.10", None), ("2.11", 1)):
    case(
        number,
        exchange([frame(PING, text) for text in TEN], *((PONG, text) for text in TEN), chop=chop),
    )

# 3: reserved bits

SMALL = (TEXT, HELLO)
case("3.1", fails(frame(*SMALL, rsv=1)))
for number, rsv, chop in (("3.2", 2, None), ("3.3", 3, 16), ("3.4", 4, 1)):
    case(number, fails([frame(*SMALL), frame(*SMALL, rsv=rsv), frame(PING)], SMALL, chop=chop))
case("3.5", fails(frame(BINARY, BLOB, rsv=5)))
case("3.6", fails(frame(PING, HELLO, rsv=6)))
case("3.7", fails(frame(CLOSE, close_payload(1000), rsv=7)))

# 4: reserved opcodes

for part, first in ((1, 3), (2, 11)):
    case(f"4.{part}.1", fails(frame(first)))
    case(f"4.{part}.2", fails(frame(first + 1, b"reserved opcode payload")))
    for index, chop in ((3, None), (4, 16), (5, 1)):
        bad = frame(first + index - 1, HELLO if index > 3 else b"")
        case(f"4.{part}.{index}", fails([frame(*SMALL), bad, frame(PING)], SMALL, chop=chop))

# 5: fragments


def pieces(*parts, opcode=TEXT):
    """The frames of a message of these parts."""
    return [
        frame(opcode if index == 0 else CONTINUATION, part, fin=index == len(parts) - 1)
        for index, part in enumerate(parts)
    ]


FIRST, SECOND = b"fragment1", b"fragment2"
BOTH = (TEXT, FIRST + SECOND)
case("5.1", fails([frame(PING, FIRST, fin=False), frame(CONTINUATION, SECOND)]))
case("5.2", fails([frame(PONG, FIRST, fin=False), frame(CONTINUATION, SECOND)]))
for number, chop in (("5.3", None), ("5.4", 15), ("5.5", 1)):
    case(number, exchange(pieces(FIRST, SECOND), BOTH, chop=chop))
for number, chop in (("5.6", None), ("5.7", 15), ("5.8", 1)):
    begin, end = pieces(FIRST, SECOND)
    case(
        number,
        exchange(
            [begin, frame(PING, b"ping payload"), end], (PONG, b"ping payload"), BOTH, chop=chop
        ),
    )
for index, (fin, chop) in enumerate(
    ((fin, chop) for fin in (True, False) for chop in (None, 18, 1)), 9
):
    case(
        f"5.{index}",
        fails(
            [frame(CONTINUATION, b"non-continuation payload", fin=fin), frame(TEXT, HELLO)],
            chop=chop,
        ),
    )
case(
    "5.15",
    fails(
        [
            *pieces(FIRST, SECOND),
            frame(CONTINUATION, b"fragment3", fin=False),
            frame(TEXT, b"fragment4"),
        ],
        BOTH,
    ),
)
for number, fin in (("5.16", False), ("5.17", True)):
    case(
        number,
        fails(
            [
                frame(CONTINUATION, FIRST, fin=fin),
                frame(TEXT, SECOND, fin=False),
                frame(CONTINUATION, b"fragment3"),
            ]
            * 2
        ),
    )
case("5.18", fails([frame(TEXT, FIRST, fin=False), frame(TEXT, SECOND)]))


def interleaved(pause):
    def run(client):
        parts = [b"fragment%d" % index for index in range(1, 6)]
        frames = pieces(*parts)
        client.send(b"".join([*frames[:2], frame(PING, b"pongme 1!")]))
        client.expect((PONG, b"pongme 1!"))
        time.sleep(pause)
        client.send(b"".join([*frames[2:4], frame(PING, b"pongme 2!"), frames[4]]))
        client.expect((PONG, b"pongme 2!"), (TEXT, b"".join(parts)))
        client.close()

    return run


case("5.19", interleaved(1))
case("5.20", interleaved(0))

# 6: UTF-8

# Its second letter takes three bytes.
GREEK = "κ\u1f79σμε".encode()
UNICODE = ("Hello-µ@ßöäüàá-UTF-8!!").encode()
EDITED = b"edited"
SURROGATE = b"\xed\xa0\x80"


def not_text(payload):
    return fails(frame(TEXT, payload), code=1007)


def octets(payload):
    return [payload[index : index + 1] for index in range(len(payload))]


case("6.1.1", echo(TEXT, b""))
case("6.1.2", exchange(pieces(b"", b"", b""), (TEXT, b"")))
case("6.1.3", exchange(pieces(b"", b"middle frame payload", b""), (TEXT, b"middle frame payload")))
case("6.2.1", echo(TEXT, UNICODE))
case("6.2.2", exchange(pieces(UNICODE[:12], UNICODE[12:]), (TEXT, UNICODE)))
case("6.2.3", exchange(pieces(*octets(UNICODE)), (TEXT, UNICODE)))
case("6.2.4", exchange(pieces(*octets(GREEK)), (TEXT, GREEK)))
case("6.3.1", not_text(GREEK + SURROGATE + EDITED))
case("6.3.2", fails(pieces(*octets(GREEK + SURROGATE + EDITED)), code=1007))


def fails_early(*parts, wrong):
    """The server closes when the part `wrong` is there, and need not see the end: the strict
    outcome.
    """

    def run(client):
        for index, part in enumerate(parts):
            client.send(part)
            if index == wrong:
                break
            time.sleep(0.05)
        client.expect_close(1007)

    return run


TOO_HIGH = b"\xf4\x90\x80\x80"
early = [GREEK, TOO_HIGH, EDITED]
case("6.4.1", fails_early(*pieces(*early), wrong=1))
case("6.4.2", fails_early(*pieces(GREEK + b"\xf4", b"\x90", b"\x80\x80" + EDITED), wrong=1))
whole = frame(TEXT, GREEK + TOO_HIGH + EDITED)
cut = 6 + len(GREEK)
case("6.4.3", fails_early(whole[:cut], whole[cut : cut + 4], whole[cut + 4 :], wrong=1))
case("6.4.4", fails_early(whole[: cut + 1], whole[cut + 1 : cut + 2], whole[cut + 2 :], wrong=1))


def texts(section, first, *payloads):
    """Cases of whole text messages, which come back if Python, too, takes them for UTF-8."""
    for index, payload in enumerate(payloads, first):
        try:
            payload.decode()
            case(f"{section}.{index}", echo(TEXT, payload))
        except UnicodeDecodeError:
            case(f"{section}.{index}", not_text(payload))


texts("6.5", 1, *(GREEK.decode()[:count].encode() for count in range(1, 6)))
texts("6.6", 1, *(GREEK[:index] for index in range(1, len(GREEK) + 1)))
texts("6.7", 1, b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80")
texts("6.8", 1, b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80")
texts("6.9", 1, b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf")
texts("6.10", 1, b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf")
texts("6.11", 1, b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", TOO_HIGH)
texts(
    "6.12",
    1,
    b"\x80",
    b"\xbf",
    *(
        b"\x80\xbf" * count + b"\x80" * odd
        for count, odd in ((1, 0), (1, 1), (2, 0), (2, 1), (3, 0))
    ),
    bytes(range(0x80, 0xC0)),
)
texts(
    "6.13",
    1,
    *(
        b"".join(bytes([lead]) + b" " for lead in leads)
        for leads in (
            range(0xC0, 0xE0),
            range(0xE0, 0xF0),
            range(0xF0, 0xF8),
            range(0xF8, 0xFC),
            range(0xFC, 0xFE),
        )
    ),
)
INCOMPLETE = (
    b"\xc0",
    b"\xe0\x80",
    b"\xf0\x80\x80",
    b"\xf8\x80\x80\x80",
    b"\xfc\x80\x80\x80\x80",
    b"\xdf",
    b"\xef\xbf",
    b"\xf7\xbf\xbf",
    b"\xfb\xbf\xbf\xbf",
    b"\xfd\xbf\xbf\xbf\xbf",
)
texts("6.14", 1, *INCOMPLETE)
texts("6.15", 1, b"".join(INCOMPLETE))
texts("6.16", 1, b"\xfe", b"\xff", b"\xfe\xfe\xff\xff")
texts(
    "6.17",
    1,
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xf8\x80\x80\x80\xaf",
    b"\xfc\x80\x80\x80\x80\xaf",
)
texts(
    "6.18",
    1,
    b"\xc1\xbf",
    b"\xe0\x9f\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf8\x87\xbf\xbf\xbf",
    b"\xfc\x83\xbf\xbf\xbf\xbf",
)
texts(
    "6.19",
    1,
    b"\xc0\x80",
    b"\xe0\x80\x80",
    b"\xf0\x80\x80\x80",
    b"\xf8\x80\x80\x80\x80",
    b"\xfc\x80\x80\x80\x80\x80",
)
HALVES = (0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF)
texts("6.20", 1, *(chr(half).encode("utf-8", "surrogatepass") for half in HALVES))
texts(
    "6.21",
    1,
    *(
        (chr(high) + chr(low)).encode("utf-8", "surrogatepass")
        for high in HALVES[:4]
        for low in (0xDC00, 0xDFFF)
    ),
)
texts(
    "6.22", 1, *(chr(plane << 16 | 0xFFFE | odd).encode() for plane in range(17) for odd in (0, 1))
)
texts("6.23", 1, *(chr(scalar).encode() for scalar in range(0xFFF9, 0x10000)))

# 7: closing

OURS = (CLOSE, close_payload(1000))


def closes(sent, code):
    """The server answers our close, and the connection ends."""

    def run(client):
        client.send(b"".join(sent))
        client.expect_close(code)

    return run


def closes_behind_echo(client):
    client.send(frame(*SMALL) + frame(*OURS))
    client.expect(SMALL)
    client.expect_close(1000)


case("7.1.1", closes_behind_echo)
case("7.1.2", closes([frame(*OURS), frame(*OURS)], 1000))
case("7.1.3", closes([frame(*OURS), frame(PING, HELLO)], 1000))
case("7.1.4", closes([frame(*OURS), frame(*SMALL)], 1000))
case(
    "7.1.5",
    closes([frame(TEXT, FIRST, fin=False), frame(*OURS), frame(CONTINUATION, SECOND)], 1000),
)


def closes_behind_much(client):
    message = b"BAsd7&jh23" * 26 * KB
    client.send(frame(TEXT, message) + frame(*OURS) + frame(PING, HELLO))
    client.expect((TEXT, message))
    client.expect_close(1000)


case("7.1.6", closes_behind_much)
case("7.3.1", closes([frame(CLOSE)], None))
case("7.3.2", fails(frame(CLOSE, b"a")))
case("7.3.3", closes([frame(CLOSE, close_payload(1000))], 1000))
case("7.3.4", closes([frame(CLOSE, close_payload(1000, HELLO))], 1000))
case("7.3.5", closes([frame(CLOSE, close_payload(1000, b"*" * 123))], 1000))
case("7.3.6", fails(frame(CLOSE, close_payload(1000, b"*" * 124))))
case("7.5.1", fails(frame(CLOSE, close_payload(1000, GREEK + SURROGATE + EDITED)), code=1007))
GOOD_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
for index, good in enumerate(GOOD_CODES, 1):
    case(f"7.7.{index}", closes([frame(CLOSE, close_payload(good))], good))
for index, bad in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
    case(f"7.9.{index}", fails(frame(CLOSE, close_payload(bad))))
for index, bad in enumerate((5000, 65535), 1):
    case(f"7.13.{index}", fails(frame(CLOSE, close_payload(bad))))

# 9: large messages, and many

SIZES = (64 * KB, 256 * KB, 1 * MB, 4 * MB, 8 * MB, 16 * MB)


def large(opcode, count, fragment=None, chop=None):
    def run(client):
        message = (b"*" if opcode == TEXT else b"\xfe") * count
        if chop:
            client.send_chopped(frame(opcode, message), chop)
        else:
            client.send_message(opcode, message, fragment=fragment)
        client.expect((opcode, message))
        client.close()

    return run


def many(opcode, count, fragment=None, compress=False, data=None):
    """As many messages as the run says, one after the other."""

    def run(client, messages=1000):
        if compress:
            assert client.deflates, "deflate was not agreed on"
        for index in range(messages):
            message = data(index, count) if data else b"*" * count
            client.send_message(opcode, message, fragment=fragment, compress=compress)
            client.expect((opcode, message))
        client.close()

    run.takes_messages = True
    return run


for part, opcode in ((1, TEXT), (2, BINARY)):
    for index, count in enumerate(SIZES, 1):
        case(f"9.{part}.{index}", large(opcode, count))
    for index in range(9):
        case(f"9.{part + 2}.{index + 1}", large(opcode, 4 * MB, fragment=64 << 2 * index))
    for index in range(6):
        case(f"9.{part + 4}.{index + 1}", large(opcode, 1 * MB, chop=64 << index))
    for index, count in enumerate((0, 16, 64, 256, 1024, 4096), 1):
        case(f"9.{part + 6}.{index}", many(opcode, count))

# 10: the client's own fragments

case("10.1.1", large(TEXT, 65536, fragment=1300))
