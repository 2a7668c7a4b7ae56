#!/usr/bin/env python3
"""Holds /openapi.json and /asyncapi.json against the public validators, the golden messages and a
running broker.

Tests/OpenAPI/description_test.py .build/debug/sluice
Tests/OpenAPI/description_test.py .build/debug/sluice --seconds 600 --seed 4711

Wants what requirements.txt names. The broker has TLS and a private PostgreSQL; schemathesis sends
requests that the description allows, and ones that it does not, for `--seconds`.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request
import warnings

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "Support"))

import jsonschema
import openapi_spec_validator
from private_broker import PrivateBroker

# Its models shadow names of their own base; that is nothing about a document.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import asyncapi3

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "Golden"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]


class Broker(PrivateBroker):
    def get(self, path, headers={}):
        """Status, headers and body of an answer."""
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


def document(broker, path):
    """A description, and that it is not sent again to who has it."""
    status, headers, body = broker.get(path)
    assert status == 200, (path, status, body)
    assert headers["content-type"] == "application/json"
    assert broker.get(path, {"If-None-Match": headers["etag"]})[0] == 304, path
    print(f"{path}: {len(body)} bytes")
    return json.loads(body)


def check_references(whole, part):
    """Every reference leads somewhere in the document."""
    if isinstance(part, dict):
        target = part.get("$ref")
        if isinstance(target, str):
            place = whole
            for name in target.removeprefix("#/").split("/"):
                assert name in place, target
                place = place[name]
        for value in part.values():
            check_references(whole, value)
    elif isinstance(part, list):
        for value in part:
            check_references(whole, value)


def resolved(whole, schema):
    """The schema as a validator's, with the document's components."""
    return jsonschema.Draft202012Validator(
        {**schema, "components": whole.get("components", {})},
        format_checker=jsonschema.FormatChecker(),
    )


def check_messages(description):
    """Every golden message fits its schema, and every example is one of them."""
    messages = description["components"]["messages"]
    count = 0
    for side in ("client", "broker"):
        files = {path.stem: path.read_bytes() for path in (GOLDEN / side).glob("*.json")}
        for name, text in files.items():
            value = json.loads(text)
            message = messages[f"{side}_{value['type']}"]
            resolved({}, message["payload"]).validate(value)
            examples = {example["name"]: example["payload"] for example in message["examples"]}
            assert examples[name] == value, name
            assert set(value) <= set(message["payload"]["properties"]), name
            count += 1
    for key, message in messages.items():
        for example in message["examples"]:
            resolved({}, message["payload"]).validate(example["payload"])
            side = "broker" if key.startswith("broker") else "client"
            assert (GOLDEN / side / f"{example['name']}.json").exists(), example["name"]
    print(f"{count} golden messages fit their schemas")


def check_problems(description):
    """Every golden problem fits the schema of each answer that has it as an example."""
    schema = {"$ref": "#/components/schemas/Problem"}
    codes = set()
    for path in (GOLDEN / "problems").glob("*.json"):
        value = json.loads(path.read_bytes())
        resolved(description, schema).validate(value)
        codes.add(value["code"])
    for operations in description["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                check_examples(description, response)
    print(f"{len(codes)} golden problems fit their schema")


def check_examples(description, response):
    for media in response.get("content", {}).values():
        examples = [example["value"] for example in media.get("examples", {}).values()]
        for example in examples + ([media["example"]] if "example" in media else []):
            resolved(description, media["schema"]).validate(example)


def run_schemathesis(broker, seconds, seed):
    """Has schemathesis try all operations."""
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    command = [program, "run", broker.url + "/openapi.json", "--url", broker.url]
    command += ["--header", f"Authorization: Bearer {broker.token}"]
    command += ["--tls-verify", broker.authority, "--checks", ",".join(CHECKS)]
    command += ["--phases", "examples,coverage,fuzzing", "--max-time", str(seconds)]
    # A stream has no end.
    command += ["--exclude-name", "GET /v1/events"]
    command += ["--seed", str(seed), "--request-timeout", "20", "--continue-on-failure"]
    command += ["--workers", "1", "--generation-database", "none", "--warnings", "off"]
    command += ["--suppress-health-check", "all", "--no-color"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks"}
    environment["PYTHONPATH"] = str(HERE)
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    # It reads a configuration from where it runs, and there is none.
    done = subprocess.run(
        command, env=environment, cwd=broker.directory, timeout=seconds * 3 + 120
    )
    assert done.returncode == 0, f"schemathesis found something; --seed {seed} finds it again"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    broker = Broker(options.program)
    try:
        http = document(broker, "/openapi.json")
        openapi_spec_validator.validate(http)
        check_references(http, http)
        check_problems(http)
        sessions = document(broker, "/asyncapi.json")
        asyncapi3.AsyncAPI3.model_validate(sessions)
        check_references(sessions, sessions)
        check_messages(sessions)
        if options.seconds:
            run_schemathesis(broker, options.seconds, options.seed)
    finally:
        broker.close()
    print("all is well")


if __name__ == "__main__":
    main()
