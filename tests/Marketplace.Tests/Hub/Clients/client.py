"""Drives huggingface_hub for the tests: one JSON request a line in, one JSON answer a line out. HF_ENDPOINT and HF_TOKEN say which registry and who."""

import base64
import contextlib
import hashlib
import json
import os
import sys
import tempfile

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download

api = HfApi()


def whoami():
    me = api.whoami()
    return {"name": me["name"], "role": me["auth"]["accessToken"]["role"]}


def create_repo(name, isPrivate=False, existOk=False):
    made = api.create_repo(name, private=isPrivate, exist_ok=existOk)
    return {"id": made.repo_id, "url": str(made)}


def delete_repo(name):
    api.delete_repo(name)
    return {}


def commit(name, files=None, remove=None, message=None, parent=None):
    operations = [CommitOperationAdd(path, base64.b64decode(content)) for path, content in (files or {}).items()]
    operations += [CommitOperationDelete(path) for path in remove or []]
    made = api.create_commit(name, operations, commit_message=message or "From a test", parent_commit=parent)
    return {"commit": made.oid, "url": made.commit_url}


def upload_folder(name, folder, message=None):
    made = api.upload_folder(repo_id=name, folder_path=folder, commit_message=message or "From a test")
    return {"commit": made.oid, "url": made.commit_url}


def delete_files(name, paths):
    return {"commit": api.create_commit(name, [CommitOperationDelete(p) for p in paths], commit_message="Delete").oid}


def listing(name, revision=None):
    entries = [e for e in api.list_repo_tree(name, revision=revision, recursive=True) if hasattr(e, "size")]
    return {"files": [{"path": e.path, "size": e.size, "sha256": e.lfs.sha256 if e.lfs else None, "oid": e.blob_id} for e in entries]}


def info(name, revision=None):
    i = api.model_info(name, revision=revision, files_metadata=True)
    card = i.card_data.to_dict() if i.card_data else None
    return {"id": i.id, "sha": i.sha, "isPrivate": i.private, "tags": i.tags, "library": i.library_name, "card": card, "task": i.pipeline_tag,
            "siblings": [s.rfilename for s in i.siblings], "updatedAt": i.last_modified.isoformat()}


def models(owner=None, query=None, tags=None, limit=None):
    return {"names": [m.id for m in api.list_models(author=owner, search=query, filter=tags, limit=limit)]}


def download(name, path, revision=None):
    with tempfile.TemporaryDirectory() as cache:
        with open(hf_hub_download(name, path, revision=revision, cache_dir=cache), "rb") as file:
            return {"content": base64.b64encode(file.read()).decode()}


def file_exists(name, path):
    return {"exists": api.file_exists(name, path)}


def repo_exists(name):
    return {"exists": api.repo_exists(name)}


def commits(name):
    return {"commits": [{"id": c.commit_id, "title": c.title, "author": c.authors[0]} for c in api.list_repo_commits(name)]}


def refs(name):
    found = api.list_repo_refs(name)
    return {"branches": {b.name: b.target_commit for b in found.branches}, "tags": {t.name: t.target_commit for t in found.tags}}


def tag(name, tag, revision=None):
    api.create_tag(name, tag=tag, revision=revision)
    return {}


def untag(name, tag):
    api.delete_tag(name, tag=tag)
    return {}


def visibility(name, isPrivate):
    api.update_repo_settings(name, private=isPrivate)
    return {}


def snapshot(name, revision=None):
    return {"folder": snapshot_download(name, revision=revision, cache_dir=tempfile.mkdtemp(prefix="hub-"))}


def generate(base, adapter, subfolder=None, revision=None):
    """Loads an adapter by its name over the registry, as users do, and says what the model then answers to some tokens."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tokens = torch.arange(1, 9).unsqueeze(0)
    with torch.no_grad():
        before = model(tokens).logits
        places = {} if subfolder is None else {"subfolder": subfolder}
        tuned = PeftModel.from_pretrained(model, adapter, **places, **({} if revision is None else {"revision": revision}))
        after = tuned(tokens).logits
    return {"change": float((after - before).abs().max()), "digest": hashlib.sha256(after.numpy().tobytes()).hexdigest()}


def push(base, folder, name):
    """Publishes an adapter from memory, as at the end of a training."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    made = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder).push_to_hub(name)
    return {"commit": made.oid}


def serving_files(name):
    """What LoRAX and TGI load: the root's safetensors from the listing, and the configuration."""
    siblings = [s.rfilename for s in api.model_info(name).siblings]
    names = [s for s in siblings if s.endswith(".safetensors") and "/" not in s] + ["adapter_config.json"]
    return {"files": {n: hashlib.sha256(open(hf_hub_download(name, n), "rb").read()).hexdigest() for n in names}}


OPERATIONS = {
    "whoami": whoami, "createRepo": create_repo, "deleteRepo": delete_repo, "commit": commit, "uploadFolder": upload_folder, "deleteFiles": delete_files, "list": listing,
    "info": info, "models": models, "download": download, "fileExists": file_exists, "repoExists": repo_exists, "commits": commits, "refs": refs, "tag": tag, "untag": untag,
    "visibility": visibility, "snapshot": snapshot, "generate": generate, "push": push, "servingFiles": serving_files,
}

answers = os.fdopen(os.dup(1), "w")
# Libraries print, native ones too; the answers have the output for themselves.
os.dup2(2, 1)
with contextlib.redirect_stdout(sys.stderr):
    for line in sys.stdin:
        given = json.loads(line)
        try:
            answer = OPERATIONS[given.pop("operation")](**given)
        except Exception as e:
            response = getattr(e, "response", None)
            answer = {"failure": {"kind": type(e).__name__, "status": 0 if response is None else response.status_code, "message": str(e)}}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
