"""A story told by a language model, as a trace in Langfuse.

::

    pip install langfuse openai
    export LANGFUSE_BASE_URL=https://langfuse.example.com  # LANGFUSE_HOST for version 3 of the SDK
    export LANGFUSE_PUBLIC_KEY=pk-lf-… LANGFUSE_SECRET_KEY=sk-lf-…
    export OPENAI_API_KEY=sk-…  # without it, or without openai, the story is a canned one
    python examples/hello.py
"""

# pyright: basic, reportAttributeAccessIssue=false

import os
import sys

from langfuse import get_client, observe

MODEL = "gpt-4o-mini"
CANNED = "Once upon a time a span was lost. It was found in its trace, and they lived observably."


@observe(name="hello")
def hello(topic: str) -> tuple[str, str | None]:
    """Tell a story, and say in which trace."""
    story = tell(f"Tell a story of two sentences about {topic}.")
    return story, get_client().get_current_trace_id()


def tell(prompt: str) -> str:
    """Ask OpenAI if there is a key."""
    if not os.environ.get("OPENAI_API_KEY"):
        return tell_canned(prompt)
    try:
        # OpenAI's own client, whose calls become generations with their tokens and cost.
        from langfuse.openai import OpenAI
    except ImportError:
        return tell_canned(prompt)
    answer = OpenAI().chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": prompt}]
    )
    return answer.choices[0].message.content or ""


@observe(name="canned", as_type="generation")
def tell_canned(prompt: str) -> str:
    """Answer without a model, and trace it as if there were one."""
    usage = {"input": len(prompt.split()), "output": len(CANNED.split())}
    get_client().update_current_generation(model="canned", usage_details=usage)
    return CANNED


if __name__ == "__main__":
    # Without a URL the SDK would send to Langfuse's own cloud.
    url = os.environ.get("LANGFUSE_BASE_URL") or os.environ.get("LANGFUSE_HOST")
    if not (
        url and os.environ.get("LANGFUSE_PUBLIC_KEY") and os.environ.get("LANGFUSE_SECRET_KEY")
    ):
        sys.exit("error: set LANGFUSE_BASE_URL, LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY.")
    client = get_client()
    try:
        client.auth_check()  # What cannot be sent, the SDK logs at its end, and goes on.
    except Exception as error:
        sys.exit(f"error: {url}: {type(error).__name__}. Is that Langfuse, and are these its keys?")
    story, trace_id = hello("a lost span")
    client.flush()  # Sends what waits, before the process ends or is frozen.
    print(story)
    print("Trace:", client.get_trace_url(trace_id=trace_id) or trace_id)
