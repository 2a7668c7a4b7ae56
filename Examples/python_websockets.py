#!/usr/bin/env python3
"""Follows topics over a WebSocket, with the package websockets alone.

python_websockets.py 'orders.>' FILE

Goes on behind what FILE remembers: after a lost connection, and when it is started again.
"""

import json
import os
import random
import ssl
import sys
import time

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

URL = os.environ["SLUICE_URL"].replace("http", "ws", 1) + "/v1/connect"
TLS = ssl.create_default_context(cafile=os.environ.get("SLUICE_CA_FILE"))
HEADERS = {"Authorization": f"Bearer {os.environ['SLUICE_TOKEN']}"}
OPTIONS = {"ssl": TLS, "subprotocols": ["sluice.v1"], "additional_headers": HEADERS}
pattern, file = sys.argv[1:]
# "from" is where topics begin that are not among the cursors.
position = {"from": "earliest", "cursors": {}}
if os.path.exists(file):
    with open(file) as kept:
        position = json.load(kept)


def take(message):
    """Does something with a message, and then moves the position behind it."""
    cursors = position["cursors"]
    match message["type"]:
        case "event":
            print(message["topic"], message["offset"], json.dumps(message["data"]), flush=True)
        case "gap" | "reset":
            print(json.dumps(message), flush=True)
        case "error" | "unsubscribed" if "retry_after_ms" in message:
            raise ConnectionError(message["code"])
        case "error" | "unsubscribed":
            sys.exit(f"{message['code']}: {message['message']} {message['remedy']}")
    match message["type"]:
        case "event" | "gap" | "reset":
            if message["cursor"]:
                cursors[message["topic"]] = message["cursor"]
            else:
                cursors.pop(message["topic"], None)
        case "cursor":
            cursors.update(message["cursors"])
        case "subscribed":
            position["from"] = message.get("resume_from", position["from"])
            seen = message["topics"].items()
            cursors.update((topic, ends["cursor"]) for topic, ends in seen if ends["cursor"])
        case _:
            return
    with open(f"{file}.new", "w") as new:
        json.dump(position, new)
    os.replace(f"{file}.new", file)


while True:
    try:
        with connect(URL, **OPTIONS) as socket:
            # A filter, a rate and much else may stand here, too.
            subscribe = {"type": "subscribe", "id": 1, "topic": pattern, **position}
            socket.send(json.dumps(subscribe))
            while True:
                # The broker says something every 20 s, or the connection is dead.
                take(json.loads(socket.recv(timeout=40)))
    except (OSError, WebSocketException) as error:
        print(f"lost: {error}", file=sys.stderr)
    time.sleep(0.5 + random.random())
