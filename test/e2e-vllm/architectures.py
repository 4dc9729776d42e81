"""Prints the model classes that vLLM runs, for src/operator/preflight/architectures.ts.

Run it where `make e2e-vllm` has installed vLLM:
  PYTHONPATH=~/.cache/infer/e2e-vllm/volume-*/site-packages python3.11 test/e2e-vllm/architectures.py

The first list is vLLM's own registry without draft models, which run only beside another one. The second list is of the
families of Transformers for which vLLM has no class, and which it runs through Transformers' own.
"""

import inspect
import re
import textwrap
import warnings

import transformers
from vllm.config.model import iter_architecture_defaults
from vllm.model_executor.models import registry

SUFFIXES = [suffix for suffix, _ in iter_architecture_defaults()]


def family(name):
    """The name without what it ends in; None where no such end is known."""
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)
    return name.removesuffix(suffix) if suffix and suffix != name else None


def runs(cls):
    """Whether vLLM takes the class of Transformers, as its registry decides; it does without encoders and decoders."""
    if not (inspect.isclass(cls) and issubclass(cls, transformers.PreTrainedModel)):
        return False
    takes = cls.is_backend_compatible() or cls._can_set_attn_implementation()
    return takes and not getattr(cls.config_class, "is_encoder_decoder", False)


def main():
    warnings.filterwarnings("ignore")
    own = sorted(set(registry._VLLM_MODELS) - set(registry._SPECULATIVE_DECODING_MODELS))
    # Hundreds of the other classes are parts of models, or make neither text nor embeddings.
    serves = re.compile("For(CausalLM|ConditionalGeneration|SequenceClassification|MaskedLM)$")
    names = [name for name in dir(transformers) if serves.search(name) and runs(getattr(transformers, name))]
    known = {family(name) for name in own}
    others = sorted({serves.sub("", name) for name in names} - known)
    for names in (own, others):
        print(textwrap.fill(" ".join(names), width=116), end="\n\n")


main()
