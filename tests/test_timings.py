"""The sum of Part A's times counts the chapters of the table, and no others."""

from types import SimpleNamespace

from _ext import timings
from docutils import nodes, utils


def ran(seconds):
    return {"exec_data": {"runtime": seconds, "succeeded": True}}


CHAPTERS = {
    "book/part_a/a1_1_forward": ran(20.25),
    "book/part_a/a1_2_classical_denoising": ran(11.5),
    "book/part_a/a1_3_one_step_denoising": ran(None),  # a cache that does not say
    "book/part_a/a1_4_iterative_denoising": {},  # not executed
    "book/part_b/b1_one_step_denoiser": ran(300),
    "book/appendix/timings": {"has_exec_table": True},
}


def test_only_what_part_a_took_is_added_up():
    assert timings.seconds(CHAPTERS) == [20.25, 11.5]
    assert timings.sentence([20.25, 11.5], 2) == (
        "The 2 chapters of Part A took 32 seconds, added up. "
        "This site was built on a computer with 2 cores."
    )


def test_the_sentence_stands_where_the_directive_was(monkeypatch):
    monkeypatch.setattr(timings.os, "cpu_count", lambda: 1)
    page = utils.new_document("timings.md")
    page += timings.total()
    env = SimpleNamespace(nb_metadata=CHAPTERS)
    timings.fill(SimpleNamespace(env=env), page, "book/appendix/timings")
    (paragraph,) = page.children
    assert isinstance(paragraph, nodes.paragraph)
    assert paragraph.astext() == timings.sentence([20.25, 11.5], 1)
    assert paragraph.astext().endswith("with 1 core.")
