"""What transformers and PEFT take for the benchmark `evaluate`: reads the files that it wrote, prints one line of JSON.

Arguments: folder, then what is scored: "base", or the number of adapters, each in a run of its own over the same model.
Sequences are scored as evaluation harnesses do: sorted by length, 64 in a batch, padded on the right, log-softmax of the positions wanted.
"""
import json
import resource
import sys
import time

import torch
from transformers import AutoModelForCausalLM

folder, what = sys.argv[1], sys.argv[2]
items = json.load(open(f"{folder}/items.json"))
sequences = [(prompt + choice, len(prompt)) for prompt, choices in items for choice in choices]
order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i][0]))
torch.set_num_threads(int(sys.argv[3]))
model = AutoModelForCausalLM.from_pretrained(f"{folder}/model", dtype=torch.float32).eval()


def score():
    scores = [0.0] * len(sequences)
    for start in range(0, len(order), 64):
        part = order[start:start + 64]
        width = max(len(sequences[i][0]) for i in part)
        ids = torch.zeros(len(part), width, dtype=torch.long)
        mask = torch.zeros(len(part), width, dtype=torch.long)
        for row, i in enumerate(part):
            tokens = sequences[i][0]
            ids[row, :len(tokens)] = torch.tensor(tokens)
            mask[row, :len(tokens)] = 1
        logits = model(input_ids=ids, attention_mask=mask).logits
        for row, i in enumerate(part):
            tokens, first = sequences[i]
            wanted = torch.log_softmax(logits[row, first - 1:len(tokens) - 1], -1)
            scores[i] = wanted.gather(1, torch.tensor(tokens[first:])[:, None]).sum().item()
    return scores


with torch.no_grad():
    runs = [None]
    if what != "base":
        from peft import PeftModel
        model = PeftModel.from_pretrained(model, f"{folder}/adapters/0", adapter_name="0").eval()
        runs = [str(i) for i in range(int(what))]
        for name in runs[1:]:
            model.load_adapter(f"{folder}/adapters/{name}", adapter_name=name)
    if runs != [None]:
        model.set_adapter(runs[0])
    score()  # warm
    began = time.perf_counter()
    scores = []
    for name in runs:
        if name is not None:
            model.set_adapter(name)
        scores.append(score())
    seconds = time.perf_counter() - began

import transformers
print(json.dumps({
    "seconds": seconds,
    "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    "scores": scores,
    "versions": f"torch {torch.__version__}, transformers {transformers.__version__}",
}))
