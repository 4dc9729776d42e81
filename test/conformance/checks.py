"""What the checks with the official openai package for Python share: the client, what is expected, and the output.

INFER_BASE_URL and INFER_API_KEY say where. Each check prints a line of JSON: {"check": NAME, "ok": true or false,
"error": what was wrong}.
"""

import json
import os
import sys
import traceback

import openai

BASE_URL = os.environ["INFER_BASE_URL"]
KEY = os.environ["INFER_API_KEY"]
MODEL = os.environ["MODEL"]


def new_client(key=KEY):
    # What fails must be seen, so nothing is sent twice.
    return openai.OpenAI(base_url=BASE_URL, api_key=key, max_retries=0, timeout=60)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_equal(actual, expected, what):
    expect(actual == expected, f"{what} is {actual!r}, not {expected!r}")


def expect_error(call, kind, code=...):
    """`call` must raise `kind`, a class or several, with the four fields of an OpenAI error."""
    try:
        call()
    except openai.APIStatusError as error:
        expect(isinstance(error, kind), f"{type(error).__name__} was raised, not {kind}: {error}")
        body = error.body
        expect(isinstance(body, dict), f"the body has no error object: {error.response.text}")
        expect_equal(sorted(body), ["code", "message", "param", "type"], "the list of the error's fields")
        expect(isinstance(body["message"], str) and body["message"] != "", "message is empty")
        expect(isinstance(body["type"], str) and body["type"] != "", "type is empty")
        for field in ("param", "code"):
            expect(body[field] is None or isinstance(body[field], str), f"{field} is {body[field]!r}")
        if code is not ...:
            expect_equal(body["code"], code, "code")
        expect(error.request_id, "x-request-id is missing")
        return
    raise AssertionError("no error was raised")


def run(checks):
    """Runs the checks, by name, and ends the program: with 0 where all went well."""
    failed = False
    for name, check in checks.items():
        line = {"check": name, "ok": True}
        try:
            check()
        except Exception as error:
            failed = True
            line = {"check": name, "ok": False, "error": f"{type(error).__name__}: {error}"}
            traceback.print_exc()
        print(json.dumps(line), flush=True)
    sys.exit(1 if failed else 0)
