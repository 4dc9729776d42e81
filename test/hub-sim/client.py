"""Runs one call of the real huggingface_hub client and prints what came of it as JSON.

Arguments: the call as JSON, {"call": "snapshot" | "info", "repo": ..., "revision": ..., "token": ..., "directory": ...}.
The hub is named by HF_ENDPOINT.
"""

import json
import sys

from huggingface_hub import HfApi, snapshot_download


def run(arguments):
    token = arguments.get("token") or False  # never a token of the machine
    if arguments["call"] == "info":
        info = HfApi(token=token).model_info(
            arguments["repo"], revision=arguments.get("revision"), files_metadata=True
        )
        return {
            "sha": info.sha,
            "gated": info.gated,
            "license": info.card_data.license,
            "parameters": info.safetensors.total,
            "files": {file.rfilename: file.size for file in info.siblings},
            "digests": {file.rfilename: file.lfs.sha256 for file in info.siblings if file.lfs},
        }
    path = snapshot_download(
        arguments["repo"],
        revision=arguments.get("revision"),
        token=token,
        local_dir=arguments["directory"],
        max_workers=4,
    )
    return {"path": path}


try:
    print(json.dumps(run(json.loads(sys.argv[1]))))
except Exception as error:  # the classes are what the test is about
    print(json.dumps({"error": [kind.__name__ for kind in type(error).__mro__]}))
