#!/usr/bin/env python3
"""Publishes to a topic and follows it at the same time, with the package aiohttp alone.

python_aiohttp.py orders.eu FILE < LINES

Each line of the input is one JSON value. Goes on behind what FILE remembers: after a lost
connection, and when it is started again.
"""

import asyncio
import json
import os
import random
import ssl
import sys
import uuid
from pathlib import Path

import aiohttp

TLS = ssl.create_default_context(cafile=os.environ.get("SLUICE_CA_FILE"))
HEADERS = {"Authorization": f"Bearer {os.environ['SLUICE_TOKEN']}"}
topic, file = sys.argv[1], Path(sys.argv[2])
EVENTS = f"{os.environ['SLUICE_URL']}/v1/topics/{topic}/events"


async def publish(http, line):
    """Tries until it is known to be committed; the same key is appended once."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    while True:
        wait = 0.5 + random.random()
        try:
            async with http.post(EVENTS, data=line, headers=headers, ssl=TLS) as answer:
                told = await answer.json(content_type=None)
                if answer.ok:
                    return told["last_offset"]
                # What has no Retry-After will not succeed.
                if "Retry-After" not in answer.headers:
                    raise SystemExit(f"{told['code']}: {told['detail']} {told['remedy']}")
                wait += int(answer.headers["Retry-After"])
        except aiohttp.ClientConnectionError as error:
            print(f"lost: {error}", file=sys.stderr)
        await asyncio.sleep(wait)


def keep(cursor):
    new = file.with_suffix(".new")
    new.write_text(f"after:{cursor}" if cursor else "earliest")
    new.replace(file)


async def follow(http):
    while True:
        start = file.read_text() if file.exists() else "earliest"
        try:
            # The stream of one topic: nothing has to be said on it.
            async with http.ws_connect(
                EVENTS, params={"from": start}, protocols=["sluice.events.v1"], ssl=TLS
            ) as socket:
                # The broker says something every 20 s, or the connection is dead.
                while (frame := await socket.receive(timeout=40)).type is aiohttp.WSMsgType.TEXT:
                    message = json.loads(frame.data)
                    if message["type"] in ("event", "gap", "reset"):
                        print(frame.data, flush=True)
                        keep(message["cursor"])
        except (aiohttp.ClientError, TimeoutError) as error:
            print(f"lost: {error}", file=sys.stderr)
        await asyncio.sleep(0.5 + random.random())


async def main():
    async with aiohttp.ClientSession(headers=HEADERS) as http:
        following = asyncio.create_task(follow(http))
        while line := await asyncio.to_thread(sys.stdin.readline):
            print("published", await publish(http, line), flush=True)
        await following


asyncio.run(main())
