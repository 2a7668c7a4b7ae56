"""Tries a broker with the official Python SDK of CloudEvents: every mode in, every way out.

Tests/CloudEvents/cloudevents_test.py .build/debug/sluice

Needs requirements.txt; deploy/test.sh makes a virtual environment with it. The broker has TLS and a
database of its own, and is gone afterwards.
"""

import base64
import contextlib
import http.client
import json
import os
import sys
from datetime import datetime, timedelta, timezone

sys.dont_write_bytecode = True

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))

from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_http_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from private_broker import DEADLINE, PrivateBroker
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SINGLE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


class Broker(PrivateBroker):
    def __init__(self, program):
        super().__init__(program, "--log-level", "warning")

    def ask(self, method, path, headers=None, body=None):
        """Status, headers and body of an answer."""
        # urllib would add a Content-Type of its own.
        connection = http.client.HTTPSConnection(
            self.address, context=self.tls, timeout=DEADLINE
        )
        with contextlib.closing(connection):
            all_headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
            connection.request(method, path, body, all_headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def post(self, topic, message, **headers):
        headers = {**message.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        status, _, body = self.ask("POST", f"/v1/topics/{topic}/events", headers, message.body)
        return status, json.loads(body)

    def page(self, topic, query=""):
        """The events of a page, and its headers."""
        status, headers, body = self.ask(
            "GET", f"/v1/topics/{topic}/events{query}", {"Accept": BATCH}
        )
        assert status == 200 and headers["Content-Type"] == BATCH, (status, body)
        return [JSONFormat().read(CloudEvent, json.dumps(e)) for e in json.loads(body)], headers

    def stream(self, topic, query="?from=earliest"):
        return connect(
            f"wss://{self.address}/v1/topics/{topic}/events{query}",
            ssl=self.tls,
            subprotocols=["cloudevents.json"],
            additional_headers={"Authorization": f"Bearer {self.token}"},
            open_timeout=DEADLINE,
        )


def full(number, data, content_type, **more):
    """An event with every attribute that the specification has, and extensions of each type."""
    attributes = {
        "id": f"id-{number} ü\"%😀",
        "source": "https://example.com/cloudevents?a=%20b#c",
        "type": "com.example.someevent",
        "subject": "larger context, 100 % €",
        "time": datetime(2018, 4, 5, 17, 31, 0, 123456, timezone(timedelta(hours=2))),
        "dataschema": "https://example.com/schema",
        "datacontenttype": content_type,
        "partitionkey": f"key {number % 2}",
        "extstring": "väl ue",
        "traceparent": TRACE,
        "tracestate": "congo=t61rcWkgMzE",
        **more,
    }
    return CloudEvent({k: v for k, v in attributes.items() if v is not None}, data)


EVENTS = [
    full(0, {"a": 1.5, "b": ["ü", None]}, "application/json", extinteger=-5, extboolean=True),
    full(1, "<much wow=\"xml\"/>", "application/xml"),
    full(2, bytes(range(256)), "application/octet-stream"),
    full(3, "plain ✓", "text/plain; charset=utf-8"),
    full(4, {"a": 1}, "application/vnd.example+json"),
    full(5, None, None, dataschema=None),
]


def same(found, sent, is_binary=False):
    """All attributes and the data are as they were sent, and the cursor is there."""
    attributes = dict(found.get_attributes())
    assert attributes.pop("sluicecursor").count("-") == 1
    wanted = dict(sent.get_attributes())
    if is_binary:
        wanted = {k: v if k == "time" else str(v) for k, v in wanted.items()}
    assert attributes == wanted, (attributes, wanted)
    data = sent.get_data()
    assert found.get_data() == data, (found.get_data(), data)


def structured_and_binary_come_back_whole(broker):
    for mode, write in (("structured", to_structured_event), ("binary", to_binary_event)):
        topic = f"round.{mode}"
        for number, event in enumerate(EVENTS):
            status, answer = broker.post(topic, write(event))
            assert status == 201 and answer["first_offset"] == number + 1, answer
        is_binary = mode == "binary"
        events, _ = broker.page(topic)
        assert len(events) == len(EVENTS)
        for found, sent in zip(events, EVENTS):
            same(found, sent, is_binary)
        for number, sent in enumerate(EVENTS, 1):
            status, headers, body = broker.ask(
                "GET", f"/v1/topics/{topic}/events/{number}", {"Accept": SINGLE}
            )
            assert status == 200 and headers["Content-Type"] == SINGLE
            message = HTTPMessage({"content-type": SINGLE}, body)
            same(from_http_event(message), sent, is_binary)
        with broker.stream(topic) as stream:
            assert stream.subprotocol == "cloudevents.json"
            for sent in EVENTS:
                same(JSONFormat().read(CloudEvent, stream.recv(DEADLINE)), sent, is_binary)


def ordinary_subscribers_see_json(broker):
    status, _, body = broker.ask("GET", "/v1/topics/round.structured/events")
    events = json.loads(body)["events"]
    assert status == 200
    assert [event["data"] for event in events] == [
        {"a": 1.5, "b": ["ü", None]},
        '<much wow="xml"/>',
        base64.b64encode(bytes(range(256))).decode(),
        "plain ✓",
        {"a": 1},
        None,
    ]
    assert events[0]["event_id"] == EVENTS[0].get_id() and events[1]["key"] == "key 1"
    assert events[2]["attributes"]["sluice.data"] == "base64"
    assert events[0]["attributes"]["traceparent"] == TRACE


def batches_are_answered_event_by_event(broker):
    def batch(*numbers):
        events = [json.loads(to_structured_event(EVENTS[n]).body) for n in numbers]
        return HTTPMessage({"content-type": BATCH}, json.dumps(events).encode())

    status, answer = broker.post("batch", batch(0, 1))
    assert status == 201 and [r["offset"] for r in answer["results"]] == [1, 2], answer
    status, answer = broker.post("batch", batch(1, 2, 0))
    assert [(r["offset"], r["repeated"]) for r in answer["results"]] == [
        (2, True),
        (3, False),
        (1, True),
    ], answer
    assert broker.post("batch", batch()) == (200, {"results": []})
    events, headers = broker.page("batch", "?limit=2")
    for found, sent in zip(events, EVENTS):
        same(found, sent)
    assert headers["Sluice-Caught-Up"] == "false"
    assert headers["Sluice-Cursor"] == events[1].get_extension("sluicecursor")
    following = headers["Link"].split(">")[0].lstrip("<").split("events", 1)[1]
    events, headers = broker.page("batch", following)
    assert len(events) == 1 and headers["Sluice-Caught-Up"] == "true"
    same(events[0], EVENTS[2])


def source_and_id_are_appended_once(broker):
    def event(source, trace, **more):
        attributes = {"id": "1", "source": source, "type": "t", "time": EVENTS[0].get_time()}
        return CloudEvent({**attributes, "traceparent": trace, **more}, {"n": 1})

    other = TRACE[:-2] + "00"
    first = broker.post("once", to_structured_event(event("/a", TRACE)))
    assert first[0] == 201 and not first[1]["repeated"]
    for again in (event("/a", TRACE), event("/a", other)):
        status, answer = broker.post("once", to_structured_event(again))
        assert status == 201 and answer == {**first[1], "repeated": True}, answer
    status, answer = broker.post("once", to_structured_event(event("/b", TRACE)))
    assert status == 201 and answer["first_offset"] == 2 and not answer["repeated"]
    status, answer = broker.post("once", to_structured_event(event("/a", TRACE, subject="x")))
    assert status == 422 and answer["code"] == "idempotency_conflict", answer
    # A trace of the request's headers is no part of it either.
    plain = CloudEvent({"id": "2", "source": "/a", "type": "t"}, {"n": 1})
    for trace in (TRACE, other):
        status, answer = broker.post("once", to_structured_event(plain), traceparent=trace)
        assert status == 201 and answer["first_offset"] == 3, answer
    events, _ = broker.page("once")
    assert events[2].get_extension("traceparent") == TRACE


def refusals_name_the_attribute(broker):
    good = json.loads(to_structured_event(EVENTS[0]).body)
    for name, value in (
        ("specversion", "0.3"),
        ("id", ""),
        ("source", "not a uri"),
        ("time", "yesterday"),
        ("Bad_Name", "x"),
        ("object", {}),
    ):
        message = HTTPMessage(
            {"content-type": SINGLE}, json.dumps({**good, name: value}).encode()
        )
        status, answer = broker.post("refused", message)
        assert status == 400 and answer["at"]["field"] == name, answer
        assert answer["committed"] == "no"
    binary = to_binary_event(EVENTS[0])
    headers = {k: v for k, v in binary.headers.items() if k != "ce-type"}
    status, answer = broker.post("refused", HTTPMessage(headers, binary.body))
    assert status == 400 and answer["at"]["field"] == "ce-type", answer


def others_events_are_their_topics(broker):
    status, _, body = broker.ask(
        "POST",
        "/v1/topics/plain/events",
        {"Content-Type": "application/json", "Sluice-Key": "k", "traceparent": TRACE},
        b"[1, 2]",
    )
    cursor = json.loads(body)["cursor"]
    (event,), _ = broker.page("plain")
    assert event.get_id() == cursor == event.get_extension("sluicecursor")
    assert event.get_source() == "/v1/topics/plain" and event.get_type() == "sluice.event"
    assert event.get_extension("partitionkey") == "k"
    assert event.get_extension("traceparent") == TRACE
    assert event.get_data() == [1, 2]


def traces_go_with_events_of_every_way(broker):
    own = TRACE[:-2] + "00"
    headers = {"Content-Type": "application/x-ndjson", "traceparent": TRACE, "tracestate": "a=b"}
    assert broker.ask("POST", "/v1/topics/traced/events", headers, b"1\n2\n")[0] == 201
    lines = [
        {"topic": "traced", "data": 3, "attributes": {"traceparent": own}},
        {"topic": "traced", "data": 4, "attributes": {"tracestate": "not valid"}},
        {"topic": "traced", "data": 5},
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    assert broker.ask("POST", "/v1/events", {**headers, "traceparent": "x"}, body)[0] == 201
    # Sixteen attributes, and the trace beside them.
    many = {f"a{number}": "x" for number in range(16)}
    publish = {"type": "publish", "id": 1, "topic": "traced", "data": 6}
    with connect(
        f"wss://{broker.address}/v1/connect",
        ssl=broker.tls,
        subprotocols=["sluice.v1"],
        additional_headers={"Authorization": f"Bearer {broker.token}"},
    ) as session:
        session.recv(DEADLINE)
        session.send(json.dumps({**publish, "attributes": {**many, "traceparent": own}}))
        assert json.loads(session.recv(DEADLINE))["type"] == "published"
        session.send(json.dumps({**publish, "attributes": {**many, "traceparent": "x"}}))
        assert json.loads(session.recv(DEADLINE))["code"] == "invalid_request"
    wanted = [(TRACE, "a=b"), (TRACE, "a=b"), (own, None), (None, "not valid"), (None, None)]
    wanted.append((own, None))
    events, _ = broker.page("traced")
    assert wanted == [
        (event.get_extension("traceparent"), event.get_extension("tracestate"))
        for event in events
    ]
    page = json.loads(broker.ask("GET", "/v1/topics/traced/events")[2])
    assert wanted == [
        (found.get("traceparent"), found.get("tracestate"))
        for found in (event.get("attributes", {}) for event in page["events"])
    ]


def gaps_and_resets_are_events(broker):
    for number in range(4):
        broker.post("gone", to_structured_event(full(number, {}, "application/json")))
    cursor = broker.page("gone", "?limit=1")[0][0].get_extension("sluicecursor")
    assert broker.ask("DELETE", "/v1/topics/gone/events?before=4")[0] == 200
    (gap, last), _ = broker.page("gone", f"?from=after:{cursor}")
    with broker.stream("gone", f"?from=after:{cursor}") as stream:
        told, following = (
            JSONFormat().read(CloudEvent, stream.recv(DEADLINE)) for _ in range(2)
        )
        assert following.get_attributes() == last.get_attributes()
        for found in (gap, told):
            assert found.get_type() == "sluice.gap"
            data = found.get_data()
            assert (data["from"], data["to"], data["reason"]) == (2, 3, "purged")
            assert found.get_extension("sluicecursor") == data["cursor"]
        assert broker.ask("DELETE", "/v1/topics/gone")[0] == 200
        reset = JSONFormat().read(CloudEvent, stream.recv(DEADLINE))
        assert reset.get_type() == "sluice.reset" and reset.get_data()["reason"] == "deleted"


def the_stream_only_delivers(broker):
    with broker.stream("once", "?from=latest") as stream:
        stream.send(to_structured_event(EVENTS[0]).body.decode())
        try:
            stream.recv(DEADLINE)
            raise AssertionError("the stream went on")
        except ConnectionClosed as closed:
            assert closed.rcvd.code == 4500 and closed.rcvd.reason == "protocol_misuse"


CASES = [
    structured_and_binary_come_back_whole,
    ordinary_subscribers_see_json,
    batches_are_answered_event_by_event,
    source_and_id_are_appended_once,
    refusals_name_the_attribute,
    others_events_are_their_topics,
    traces_go_with_events_of_every_way,
    gaps_and_resets_are_events,
    the_stream_only_delivers,
]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with contextlib.closing(Broker(sys.argv[1])) as broker:
        for case in CASES:
            case(broker)
            print(f"passed: {case.__name__.replace('_', ' ')}", flush=True)
    print(f"{len(CASES)} passed")


if __name__ == "__main__":
    main()
