"""Asks a model many things in one batch: python batch.py MODEL QUESTION... (pip install openai)

INFER_BASE_URL and INFER_API_KEY say where and as whom; the key needs the scope `files`.
"""

import json
import os
import sys
import time

from openai import OpenAI

model, *questions = sys.argv[1:]
client = OpenAI(base_url=os.environ["INFER_BASE_URL"], api_key=os.environ["INFER_API_KEY"])

requests = [
    {
        "custom_id": f"question-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 50},
    }
    for number, question in enumerate(questions, 1)
]
lines = "".join(json.dumps(request) + "\n" for request in requests)
file = client.files.create(file=("questions.jsonl", lines.encode()), purpose="batch")
batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")

while batch.status in ("validating", "in_progress", "finalizing"):
    print(f"{batch.id} is {batch.status}: {batch.request_counts.completed} of {batch.request_counts.total} done", file=sys.stderr)
    time.sleep(5)
    batch = client.batches.retrieve(batch.id)

if batch.status != "completed":
    sys.exit(f"{batch.id} is {batch.status}: {batch.errors.data if batch.errors else 'see its files'}")
# Answers come in any order; what failed is in a file of its own.
for file_id in (batch.output_file_id, batch.error_file_id):
    for line in client.files.content(file_id).text.splitlines() if file_id else []:
        answer = json.loads(line)
        body = answer["response"]["body"] if answer["response"] else answer["error"]
        text = body["choices"][0]["message"]["content"] if "choices" in body else body
        print(f"{answer['custom_id']}: {text}")
