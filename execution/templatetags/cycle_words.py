"""`execution.words` as template filters."""

from django import template

from execution import words

register = template.Library()
register.filter("outcome", words.outcome)
register.filter("undecided_words", words.undecided_words)
register.filter("skip_words", words.skip_words)
register.filter("source_words", words.source_words)
register.filter("verdict_words", words.verdict_words)
register.filter("short_verdict", words.short_verdict)
register.filter("why", words.why)
register.filter("order_why", words.order_why)
register.filter("protection_words", words.protection_words)
register.filter("limit_name", words.limit_name)
register.filter("limit_words", words.limit_words)
register.filter("limit_source", words.limit_source)
register.filter("overruled", words.overruled)
register.filter("sizing_rows", words.sizing_rows)
register.filter("value_words", words.value_words)
register.filter("question_words", words.question_words)
register.filter("answer_words", words.answer_words)
register.filter("replay_words", words.replay_words)
register.filter("moment", words.moment)
register.simple_tag(words.share_words)
