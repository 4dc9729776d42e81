"""Checks an endpoint with the official openai package for Python.

INFER_BASE_URL and INFER_API_KEY say where, MODEL which chat model. INFER_NAMESPACE, the namespace of the model,
MODEL_ALIAS, another name of it, MODEL_ADAPTER, the name of a LoRA adapter of it, and INFER_ENGINE_METRICS, the /metrics of
its only replica, are optional: the checks that need them are left out without.
Prints a line of JSON for each check: {"check": NAME, "ok": true or false, "error": what was wrong}.
"""

import os
import time
import urllib.request

import openai

from checks import KEY, MODEL, expect, expect_equal, expect_error, new_client, run

NAMESPACE = os.environ.get("INFER_NAMESPACE")
ALIAS = os.environ.get("MODEL_ALIAS")
ADAPTER = os.environ.get("MODEL_ADAPTER")
ENGINE_METRICS = os.environ.get("INFER_ENGINE_METRICS")
MESSAGES = [{"role": "user", "content": "Say something about the sea."}]
# Of vLLM: as many tokens as are asked for, and the likeliest: a random one of a byte may be no text yet.
EXACTLY = {"ignore_eos": True, "temperature": 0}


client = new_client()


def models_list():
    models = client.models.list().data
    expect(MODEL in [model.id for model in models], f"{MODEL} is not among {models}")
    for model in models:
        expect_equal(model.object, "model", "object")
        expect(isinstance(model.created, int) and model.created > 1_600_000_000, f"created is {model.created}")
        expect(model.owned_by, "owned_by is empty")


def models_retrieve():
    expect_equal(client.models.retrieve(MODEL).id, MODEL, "id")


def chat(model):
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=MESSAGES, max_tokens=7, extra_body=EXACTLY
    )
    expect(raw.headers.get("x-request-id"), "x-request-id is missing")
    answer = raw.parse()
    expect_equal(answer.object, "chat.completion", "object")
    expect_equal(answer.model, model, "model")
    expect_equal(answer.choices[0].finish_reason, "length", "finish_reason")
    expect(answer.choices[0].message.content, "content is empty")
    expect_equal(answer.usage.completion_tokens, 7, "completion_tokens")


def chat_by_other_name(model, parent=None):
    found = [listed for listed in client.models.list() if listed.id == model]
    expect_equal(len(found), 1, f"the number of models {model}")
    expect_equal((found[0].model_extra or {}).get("parent"), parent, "parent")
    expect_equal(client.models.retrieve(model).id, model, "id")
    chat(model)


def chat_stream(usage):
    options = {"stream_options": {"include_usage": True}} if usage else {}
    stream = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, max_tokens=7, stream=True, extra_body=EXACTLY, **options
    )
    chunks = list(stream)
    expect_equal({chunk.model for chunk in chunks}, {MODEL}, "the models of the chunks")
    expect_equal(len({chunk.id for chunk in chunks}), 1, "the number of ids")
    with_choices = [chunk for chunk in chunks if chunk.choices]
    expect_equal(with_choices[0].choices[0].delta.role, "assistant", "the first role")
    expect("".join(chunk.choices[0].delta.content or "" for chunk in with_choices), "content is empty")
    expect_equal(with_choices[-1].choices[0].finish_reason, "length", "the last finish_reason")
    with_usage = [chunk for chunk in chunks if chunk.usage]
    if not usage:
        expect_equal(with_usage, [], "the list of chunks with usage")
        expect_equal(len(with_choices), len(chunks), "the number of chunks with choices")
        return
    expect_equal(with_usage, [chunks[-1]], "the list of chunks with usage")
    expect_equal(chunks[-1].choices, [], "the choices of the last chunk")
    expect_equal(chunks[-1].usage.completion_tokens, 7, "completion_tokens")


def completion():
    answer = client.completions.create(model=MODEL, prompt="The sea", max_tokens=5, extra_body=EXACTLY)
    expect_equal(answer.object, "text_completion", "object")
    expect_equal(answer.model, MODEL, "model")
    expect(answer.choices[0].text, "text is empty")
    expect_equal(answer.usage.completion_tokens, 5, "completion_tokens")


def completion_stream():
    stream = client.completions.create(
        model=MODEL, prompt="The sea", max_tokens=5, stream=True, extra_body=EXACTLY
    )
    chunks = list(stream)
    expect_equal({chunk.model for chunk in chunks}, {MODEL}, "the models of the chunks")
    expect("".join(chunk.choices[0].text for chunk in chunks), "text is empty")
    expect_equal(chunks[-1].choices[0].finish_reason, "length", "the last finish_reason")


def embeddings_of_chat_model():
    create = client.embeddings.create
    expect_error(lambda: create(model=MODEL, input="The sea"), (openai.NotFoundError, openai.BadRequestError))


def wrong_key():
    altered = KEY[:-1] + ("a" if KEY[-1] != "a" else "b")
    for key in (altered, "sk-something-else"):
        stranger = new_client(key)
        expect_error(lambda: stranger.models.list(), openai.AuthenticationError, "invalid_api_key")
        expect_error(
            lambda: stranger.chat.completions.create(model=MODEL, messages=MESSAGES),
            openai.AuthenticationError,
            "invalid_api_key",
        )


def unknown_model():
    for model in ("no-such-model", "no-such-namespace/no-such-model"):
        expect_error(
            lambda: client.chat.completions.create(model=model, messages=MESSAGES),
            openai.NotFoundError,
            "model_not_found",
        )
    expect_error(
        lambda: client.chat.completions.create(model="no-such-model", messages=MESSAGES, stream=True),
        openai.NotFoundError,
        "model_not_found",
    )
    expect_error(lambda: client.models.retrieve("no-such-model"), openai.NotFoundError, "model_not_found")


def bad_request():
    create = client.chat.completions.create
    expect_error(lambda: create(model=MODEL, messages="hello"), openai.BadRequestError)
    expect_error(lambda: create(model=MODEL, messages=MESSAGES, max_tokens=-1), openai.BadRequestError)
    expect_error(lambda: create(model=MODEL, messages=MESSAGES, max_tokens=10_000_000), openai.BadRequestError)
    expect_error(lambda: create(model=MODEL, messages=MESSAGES, max_tokens="many"), openai.BadRequestError)


def running():
    text = urllib.request.urlopen(ENGINE_METRICS, timeout=5).read().decode()
    lines = [line for line in text.splitlines() if line.startswith("vllm:num_requests_running")]
    return sum(float(line.split()[-1]) for line in lines)


def expect_running(count, seconds):
    deadline = time.monotonic() + seconds
    while (now := running()) != count:
        expect(time.monotonic() < deadline, f"{now} requests run at the engine after {seconds} s, not {count}")
        time.sleep(0.02)


def aborted_stream():
    stream = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, max_tokens=1500, stream=True, extra_body=EXACTLY
    )
    for _ in range(3):
        next(stream)
    if ENGINE_METRICS:
        expect_running(1, 5)
    stream.close()
    if ENGINE_METRICS:
        expect_running(0, 5)
    chat(MODEL)


CHECKS = {
    "models.list": models_list,
    "models.retrieve": models_retrieve,
    "chat": lambda: chat(MODEL),
    **({"chat with the namespace in the model's name": lambda: chat(f"{NAMESPACE}/{MODEL}")} if NAMESPACE else {}),
    **({"chat with an alias": lambda: chat_by_other_name(ALIAS)} if ALIAS else {}),
    **({"chat with an adapter": lambda: chat_by_other_name(f"{MODEL}:{ADAPTER}", MODEL)} if ADAPTER else {}),
    "chat stream": lambda: chat_stream(False),
    "chat stream with usage": lambda: chat_stream(True),
    "completion": completion,
    "completion stream": completion_stream,
    "embeddings of a chat model": embeddings_of_chat_model,
    "wrong key": wrong_key,
    "unknown model": unknown_model,
    "bad request": bad_request,
    "aborted stream": aborted_stream,
}

run(CHECKS)
