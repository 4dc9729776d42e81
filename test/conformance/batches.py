"""Checks Files and Batch with the official openai package for Python.

Settings and output are those of checks.py; MODEL is a chat model, OTHER_KEY a key of another namespace, and SLOW_TOKENS so
many tokens that an answer of them lasts for some seconds.
"""

import json
import os
import time

import openai

from checks import MODEL, expect, expect_equal, expect_error, new_client, run

OTHER_KEY = os.environ["OTHER_KEY"]
SLOW_TOKENS = int(os.environ["SLOW_TOKENS"])
ENDPOINT = "/v1/chat/completions"
NOBODY = "file-00000000000000000000000000000000"
FILE_FIELDS = ["bytes", "created_at", "expires_at", "filename", "id", "object", "purpose", "status"]
BATCH_FIELDS = [
    "cancelled_at", "cancelling_at", "completed_at", "completion_window", "created_at", "endpoint", "error_file_id",
    "errors", "expired_at", "expires_at", "failed_at", "finalizing_at", "id", "in_progress_at", "input_file_id", "metadata",
    "model", "object", "output_file_id", "request_counts", "status", "usage",
]  # fmt: skip

client = new_client()
stranger = new_client(OTHER_KEY)


def request(custom_id, **body):
    message = {"role": "user", "content": f"Say something about {custom_id}."}
    asked = {"model": MODEL, "messages": [message], "max_tokens": 3, **body}
    return {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": asked}


def upload(lines, name="requests.jsonl"):
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return client.files.create(file=(name, text.encode()), purpose="batch")


def create(file_id, **options):
    return client.batches.create(
        input_file_id=file_id, endpoint=ENDPOINT, completion_window="24h", **options
    )


def wait(batch, *statuses, seconds=90):
    deadline = time.monotonic() + seconds
    while batch.status not in statuses:
        expect(time.monotonic() < deadline, f"after {seconds} s the batch is {batch.status}: {batch}")
        time.sleep(0.2)
        batch = client.batches.retrieve(batch.id)
    return batch


def lines_of(file_id):
    return [json.loads(line) for line in client.files.content(file_id).text.splitlines()]


def files():
    raw = client.files.with_raw_response.create(
        file=("some requests.jsonl", json.dumps(request("one")).encode()),
        purpose="batch",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    expect_equal(sorted(json.loads(raw.text)), FILE_FIELDS, "the list of a file's fields")
    file = raw.parse()
    expect_equal((file.object, file.purpose, file.status), ("file", "batch", "processed"), "the file")
    expect_equal(file.filename, "some requests.jsonl", "filename")
    expect_equal(file.bytes, len(json.dumps(request("one"))), "bytes")
    expect_equal(file.expires_at, file.created_at + 3600, "expires_at")
    expect_equal(client.files.retrieve(file.id), file, "the file again")
    expect_equal(client.files.content(file.id).text, json.dumps(request("one")), "content")
    expect(file.id in [listed.id for listed in client.files.list(purpose="batch")], "the file is not listed")
    deleted = client.files.delete(file.id)
    expect_equal((deleted.id, deleted.object, deleted.deleted), (file.id, "file", True), "the deletion")
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        expect_error(lambda call=call: call(file.id), openai.NotFoundError)
    expect(file.id not in [listed.id for listed in client.files.list()], "the file is still listed")
    month = upload([request("two")])
    expect_equal(month.expires_at, month.created_at + 30 * 86400, "expires_at of a batch's file")


def file_errors():
    create_file = client.files.create
    expect_error(lambda: create_file(file=("requests.json", b"{}"), purpose="batch"), openai.BadRequestError)
    try:
        create_file(file=("requests.json", b"{}"), purpose="batch")
    except openai.BadRequestError as error:
        message = "Invalid file format for Batch API. Must be .jsonl"
        expect(message in error.body["message"], f"message is {error.body['message']}")
    expect_error(lambda: create_file(file=("a.jsonl", b"{}"), purpose="nothing"), openai.BadRequestError)
    for seconds in (3599, 2592001):
        after = {"anchor": "created_at", "seconds": seconds}
        expect_error(
            lambda after=after: create_file(file=("a.jsonl", b"{}"), purpose="batch", expires_after=after),
            openai.BadRequestError,
        )
    expect_error(lambda: client.files.list(limit=0).data, openai.BadRequestError)
    expect_error(lambda: client.files.list(limit=10001).data, openai.BadRequestError)
    expect_error(lambda: client.files.list(after=NOBODY).data, (openai.NotFoundError, openai.BadRequestError))
    expect_error(lambda: client.files.retrieve("no-such-file"), openai.NotFoundError)


def file_pages():
    made = [upload([request(f"page-{number}")], f"page-{number}.jsonl").id for number in range(5)]
    listed = [file.id for file in client.files.list(limit=2, order="asc") if file.id in made]
    expect_equal(listed, made, "the files in order")
    listed = [file.id for file in client.files.list(limit=3) if file.id in made]
    expect_equal(listed, made[::-1], "the files, newest first")
    page = client.files.list(limit=1, order="desc")
    raw = client.files.with_raw_response.list(limit=1).text
    expect_equal(sorted(json.loads(raw)), ["data", "first_id", "has_more", "last_id", "object"], "the fields of a list")
    expect_equal((page.data[0].id, page.has_more), (made[-1], True), "the first page")


def batch():
    lines = [request(f"request-{number}") for number in range(20)]
    lines[7]["body"]["max_tokens"] = -1
    file = upload(lines)
    raw = client.batches.with_raw_response.create(
        input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", metadata={"project": "sea"}
    )
    expect_equal(sorted(json.loads(raw.text)), BATCH_FIELDS, "the list of a batch's fields")
    made = raw.parse()
    expect_equal((made.object, made.endpoint, made.input_file_id), ("batch", ENDPOINT, file.id), "the batch")
    expect_equal(made.metadata, {"project": "sea"}, "metadata")
    expect_equal(made.expires_at, made.created_at + 86400, "expires_at")
    expect(made.status in ("validating", "in_progress"), f"status is {made.status}")
    done = wait(made, "completed")
    counts = done.request_counts
    expect_equal((counts.total, counts.completed, counts.failed), (20, 19, 1), "request_counts")
    for field in ("in_progress_at", "finalizing_at", "completed_at"):
        expect(getattr(done, field) >= made.created_at, f"{field} is {getattr(done, field)}")
    for field in ("failed_at", "expired_at", "cancelling_at", "cancelled_at", "errors"):
        expect_equal(getattr(done, field), None, field)
    expect_equal(done.model, MODEL, "model")
    answers = lines_of(done.output_file_id)
    expect_equal({line["custom_id"] for line in answers}, {f"request-{n}" for n in range(20) if n != 7}, "custom_ids")
    expect_equal(len(answers), 19, "the number of answers")
    for line in answers:
        expect_equal(sorted(line), ["custom_id", "error", "id", "response"], "the fields of a line")
        expect(line["id"].startswith("batch_req_"), f"id is {line['id']}")
        expect_equal(line["error"], None, "error")
        expect_equal(line["response"]["status_code"], 200, "status_code")
        expect(line["response"]["request_id"], "request_id is empty")
        expect_equal(line["response"]["body"]["object"], "chat.completion", "object")
        expect_equal(line["response"]["body"]["model"], MODEL, "model")
    expect_equal(len({line["id"] for line in answers}), 19, "the number of ids")
    [failed] = lines_of(done.error_file_id)
    expect_equal((failed["custom_id"], failed["error"]), ("request-7", None), "the failed request")
    expect_equal(failed["response"]["status_code"], 400, "status_code")
    expect(failed["response"]["body"]["error"]["message"], "message is empty")
    tokens = sum(line["response"]["body"]["usage"]["completion_tokens"] for line in answers)
    expect_equal((done.usage.output_tokens), tokens, "output_tokens")
    expect_equal(client.files.retrieve(done.output_file_id).purpose, "batch_output", "purpose")


def all_failed():
    file = upload([request("one", max_tokens=-1), request("two", max_tokens=-1)])
    done = wait(create(file.id), "completed")
    expect_equal(done.output_file_id, None, "output_file_id")
    expect_equal(len(lines_of(done.error_file_id)), 2, "the number of errors")


def bad_input():
    good = request("good")
    wrong = [
        ("invalid_json_line", None, "{not json"),
        ("missing_required_parameter", "custom_id", {k: v for k, v in good.items() if k != "custom_id"}),
        ("invalid_url", "url", {**request("url"), "url": "/v1/embeddings"}),
        ("mismatched_model", "body.model", request("model", model="no-such-model")),
        ("streaming_unsupported", "body.stream", request("stream", stream=True)),
        ("duplicate_custom_id", "custom_id", good),
    ]
    failed = wait(create(upload([good, *(line for _, _, line in wrong)]).id), "failed")
    expect_equal(failed.errors.object, "list", "object")
    found = {(error.line, error.code) for error in failed.errors.data}
    for number, (code, _, _) in enumerate(wrong, start=2):
        expect((number, code) in found, f"line {number} has no {code}: {found}")
    by_code = {error.code: error.param for error in failed.errors.data}
    for code, param in (("mismatched_model", "body.model"), ("streaming_unsupported", "body.stream")):
        expect_equal(by_code[code], param, f"param of {code}")
    expect(failed.failed_at >= failed.created_at, f"failed_at is {failed.failed_at}")
    expect_equal((failed.output_file_id, failed.error_file_id), (None, None), "the files")
    unknown = wait(create(upload([request("one", model="no-such-model")]).id), "failed")
    [error] = unknown.errors.data
    expect_equal((error.code, error.param, error.line), ("model_not_found", "body.model", 1), "the error")
    empty = wait(create(upload([""]).id), "failed")
    expect(len(empty.errors.data) > 0, "an empty file has no error")


def unknown_input():
    failed = wait(create(NOBODY), "failed")
    [error] = failed.errors.data
    expect_equal((error.code, error.param), ("invalid_request", "file_id"), "the error")


def batch_errors():
    file = upload([request("one")])
    post = client.batches.create
    asked = {"input_file_id": file.id, "endpoint": ENDPOINT, "completion_window": "24h"}
    expect_error(lambda: post(**{**asked, "endpoint": "/v1/images"}), openai.BadRequestError, "invalid_value")
    expect_error(lambda: post(**{**asked, "completion_window": "1h"}), openai.BadRequestError, "invalid_value")
    expect_error(lambda: post(**asked, metadata={"a": 1}), openai.BadRequestError, "invalid_type")
    expect_error(lambda: post(**asked, metadata="a"), openai.BadRequestError, "invalid_type")
    expect_error(lambda: client.batches.retrieve("batch_nobody"), openai.NotFoundError)
    expect_error(lambda: client.batches.cancel("batch_nobody"), openai.NotFoundError)
    expect_error(lambda: client.batches.list(limit=0).data, openai.BadRequestError)
    expect_error(lambda: client.batches.list(limit=101).data, openai.BadRequestError)
    done = wait(create(file.id), "completed")
    expect_error(lambda: client.batches.cancel(done.id), openai.ConflictError)


def batch_pages():
    file = upload([request("one")])
    made = [create(file.id).id for _ in range(3)]
    listed = [batch.id for batch in client.batches.list(limit=2) if batch.id in made]
    expect_equal(sorted(listed), sorted(made), "the batches")
    raw = client.batches.with_raw_response.list(limit=1).text
    expect_equal(sorted(json.loads(raw)), ["data", "first_id", "has_more", "last_id", "object"], "the fields of a list")
    for batch_id in made:
        wait(client.batches.retrieve(batch_id), "completed")


def cancel():
    slow = {"max_tokens": SLOW_TOKENS, "ignore_eos": True}
    file = upload([request(f"slow-{number}", **slow) for number in range(200)])
    made = wait(create(file.id), "in_progress")
    cancelling = client.batches.cancel(made.id)
    expect(cancelling.status in ("cancelling", "cancelled"), f"status is {cancelling.status}")
    cancelled = wait(cancelling, "cancelled")
    expect(cancelled.cancelled_at >= cancelled.cancelling_at, f"cancelled_at is {cancelled.cancelled_at}")
    expect(cancelled.request_counts.completed < 200, "every request was answered")
    answers = lines_of(cancelled.output_file_id) if cancelled.output_file_id else []
    expect_equal(len(answers), cancelled.request_counts.completed, "the number of answers")
    expect_equal(client.batches.cancel(made.id).status, "cancelled", "status")


def foreign():
    file = upload([request("one")])
    for call in (stranger.files.retrieve, stranger.files.content, stranger.files.delete):
        expect_error(lambda call=call: call(file.id), openai.NotFoundError)
    expect(file.id not in [listed.id for listed in stranger.files.list()], "a foreign file is listed")
    after = (openai.NotFoundError, openai.BadRequestError)
    expect_error(lambda: stranger.files.list(after=file.id).data, after)
    made = create(file.id)
    for call in (stranger.batches.retrieve, stranger.batches.cancel):
        expect_error(lambda call=call: call(made.id), openai.NotFoundError)
    expect_error(lambda: stranger.batches.list(after=made.id).data, after)
    expect(made.id not in [listed.id for listed in stranger.batches.list()], "a foreign batch is listed")
    theirs = stranger.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")
    deadline = time.monotonic() + 60
    while theirs.status != "failed":
        expect(time.monotonic() < deadline, f"a batch of a foreign file is {theirs.status}")
        time.sleep(0.2)
        theirs = stranger.batches.retrieve(theirs.id)
    [error] = theirs.errors.data
    expect_equal((error.code, error.param), ("invalid_request", "file_id"), "the error")
    wait(made, "completed")


run(
    {
        "files": files,
        "errors of files": file_errors,
        "pages of files": file_pages,
        "a batch": batch,
        "a batch of which every request fails": all_failed,
        "a batch whose input is wrong": bad_input,
        "a batch without input": unknown_input,
        "errors of batches": batch_errors,
        "pages of batches": batch_pages,
        "a batch that is cancelled": cancel,
        "what another namespace sees": foreign,
    }
)
