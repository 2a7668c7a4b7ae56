"""Sections 12 and 13: permessage-deflate, with data of several kinds and all of its parameters."""

import struct

from websocket_cases import CASES, case, many
from websocket_client import BINARY, TEXT

__all__ = ["CASES"]

WORDS = ("the", "reader", "of", "a", "slow", "stream", "keeps", "what", "it", "has", "read", "and")


def prose(index, count):
    text = "".join(
        f"{WORDS[(index + place * place) % len(WORDS)]} " for place in range(count // 3 + 1)
    )
    return text.encode()[:count]


def json_text(index, count):
    line = '{{"topic":"orders.eu","offset":{0},"event":{{"id":"{0:08x}","ok":true}}}},'
    lines = "".join(line.format(index * 997 + place) for place in range(count // 60 + 1))
    return lines.encode()[:count]


def markup(index, count):
    line = '<tr class="odd"><td>{0}</td><td><a href="/e/{0}">event {1}</a></td></tr>\n'
    lines = "".join(line.format(index + place, place % 7) for place in range(count // 60 + 1))
    return lines.encode()[:count]


def picture(index, count):
    row = bytes((index + column * column // 64) & 0xFF for column in range(512))
    rows = (row[shift % 512 :] + row[: shift % 512] for shift in range(count // 512 + 1))
    return b"".join(rows)[:count]


def noise(index, count):
    state, words = index * 2654435761 % (1 << 32) | 1, []
    for _ in range(min(count, 4096) // 4 + 1):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        words.append(struct.pack("!I", state))
    block = b"".join(words)
    return (block * (count // len(block) + 1))[:count]


SHAPES = [(16 << 2 * index, None) for index in range(5)] + [
    (8192, None),
    (16384, None),
    (32768, None),
    (65536, None),
    (131072, None),
    (8192, 256),
    (16384, 256),
    (32768, 256),
    (65536, 256),
    (131072, 256),
    (131072, 1024),
    (131072, 4096),
    (131072, 32768),
]
DATA = ((TEXT, json_text), (BINARY, picture), (TEXT, prose), (TEXT, markup), (BINARY, noise))
PLAIN = "permessage-deflate; client_max_window_bits"
NO_CONTEXT = "permessage-deflate; server_no_context_takeover; client_max_window_bits"


def window(offer, bits):
    return f"{offer}; server_max_window_bits={bits}"


OFFERS = (
    PLAIN,
    NO_CONTEXT,
    window(PLAIN, 9),
    window(PLAIN, 15),
    window(NO_CONTEXT, 9),
    window(NO_CONTEXT, 15),
    ", ".join((window(NO_CONTEXT, 9), NO_CONTEXT, PLAIN)),
)

for section, offers in ((12, (PLAIN,) * 5), (13, OFFERS)):
    for part, offer in enumerate(offers, 1):
        opcode, data = DATA[part - 1] if section == 12 else DATA[0]
        for index, (count, fragment) in enumerate(SHAPES, 1):
            run = many(opcode, count, fragment=fragment, compress=True, data=data)
            run.offers = offer
            case(f"{section}.{part}.{index}", run)
