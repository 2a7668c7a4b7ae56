#!/usr/bin/env python3
"""Follows a topic as server-sent events, with the packages httpx and httpx-sse alone.

python_httpx_sse.py orders.eu FILE

Goes on behind what FILE remembers: after a lost connection, and when it is started again.
"""

import os
import random
import ssl
import sys
import time
from pathlib import Path

import httpx
from httpx_sse import SSEError, connect_sse

topic, file = sys.argv[1], Path(sys.argv[2])
URL = f"{os.environ['SLUICE_URL']}/v1/topics/{topic}/events?from=earliest"
TLS = ssl.create_default_context(cafile=os.environ.get("SLUICE_CA_FILE"))
HEADERS = {"Authorization": f"Bearer {os.environ['SLUICE_TOKEN']}"}

# The broker says something every 20 s, or the connection is dead.
with httpx.Client(verify=TLS, headers=HEADERS, timeout=httpx.Timeout(10, read=40)) as client:
    while True:
        retry = 2000
        # Beats from=.
        last = {"Last-Event-ID": file.read_text()} if file.exists() else {}
        try:
            with connect_sse(client, "GET", URL, headers=last) as source:
                for event in source.iter_sse():
                    retry = event.retry or retry
                    if event.data:
                        print(event.data, flush=True)
                    new = file.with_suffix(".new")
                    new.write_text(event.id)
                    new.replace(file)
        except (httpx.TransportError, SSEError) as error:
            print(f"lost: {error}", file=sys.stderr)
        time.sleep(retry / 1000 * (0.5 + random.random()))
