/* See expand.h. One recursive descent over the text; a skipped branch is parsed but not looked up.
 * SPDX-License-Identifier: ISC */
#include "conf/expand.h"

#include "base/ascii.h"
#include "conf/relation.h"

struct expansion {
	const struct expand_source *source;
	void (*visit)(void *arg, struct span name); /* expand_names: every name, nothing else */
	void *visit_arg;
	struct buf *error;
	unsigned depth;
	unsigned steps;
	bool failed;
};

static void expand_text(struct expansion *x, struct span text, struct buf *out);

static void fail(struct expansion *x, const char *what, struct span at)
{
	if (!x->failed)
		buf_append_format(
			x->error, "%s: \"%.*s\"", what, (int)(at.len > 60 ? 60 : at.len), at.ptr);
	x->failed = true;
}

static bool is_name_char(char c)
{
	return ascii_is_alnum(c) || c == '_';
}

static struct span skip_space(struct span s)
{
	while (s.len > 0 && ascii_is_space(s.ptr[0]))
		s = span_skip(s, 1);
	return s;
}

static struct span take_name(struct span *rest)
{
	size_t len = 0;

	while (len < rest->len && is_name_char(rest->ptr[len]))
		len++;
	struct span name = span_head(*rest, len);
	*rest = span_skip(*rest, len);
	return name;
}

/* text begins with open: the length up to and with the matching close, or 0. */
static size_t balanced(struct span text, char open, char close)
{
	size_t level = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == open)
			level++;
		else if (text.ptr[i] == close && --level == 0)
			return i + 1;
	}
	return 0;
}

static const char *look_up(struct expansion *x, struct span name)
{
	if (x->visit != NULL) {
		x->visit(x->visit_arg, name);
		return NULL;
	}
	if (++x->steps > EXPAND_STEPS_MAX) {
		fail(x, "too many names in one value", name);
		return NULL;
	}
	return x->source->lookup(x->source->arg, name);
}

static void insert_value(struct expansion *x, struct span name, struct buf *out)
{
	const char *value = look_up(x, name);

	if (value == NULL || x->failed)
		return;
	if (x->source->flat)
		buf_append_cstr(out, value);
	else
		expand_text(x, span_from_cstr(value), out);
	if (x->failed && x->depth == 1)
		buf_append_format(x->error, " (in the value of \"%.*s\")", SPAN_ARGS(name));
}

/* One branch behind '?' or ':': "{text}" or, up to the end, text. The rest is left in *rest. */
static struct span take_branch(struct expansion *x, struct span *rest)
{
	struct span inner = skip_space(*rest), branch = *rest;

	if (inner.len > 0 && inner.ptr[0] == '{') {
		size_t len = balanced(inner, '{', '}');
		if (len == 0) {
			fail(x, "truncated macro reference", inner);
			len = inner.len;
		} else {
			branch = span_part(inner, 1, len - 2);
			*rest = skip_space(span_skip(inner, len));
			return branch;
		}
	}
	*rest = SPAN_EMPTY;
	return branch;
}

/* rest: what stands behind the condition, such as "?{a}:{b}". */
static void expand_branches(struct expansion *x, bool condition, struct span rest, struct buf *out)
{
	struct span yes = SPAN_EMPTY, no = SPAN_EMPTY, whole = rest;

	rest = skip_space(rest);
	if (rest.len > 0 && rest.ptr[0] == '?') {
		rest = span_skip(rest, 1);
		yes = take_branch(x, &rest);
	}
	if (rest.len > 0 && rest.ptr[0] == ':') {
		rest = span_skip(rest, 1);
		no = take_branch(x, &rest);
	}
	if (rest.len > 0)
		fail(x, "syntax error behind a condition", whole);
	if (x->visit != NULL) {
		expand_text(x, yes, out);
		expand_text(x, no, out);
	} else {
		expand_text(x, condition ? yes : no, out);
	}
}

static struct span take_operand(struct expansion *x, struct span *rest, struct buf *out)
{
	size_t len;

	*rest = skip_space(*rest);
	if (rest->len == 0 || rest->ptr[0] != '{' || (len = balanced(*rest, '{', '}')) == 0) {
		fail(x, "expected \"{text}\" in a comparison", *rest);
		return SPAN_EMPTY;
	}
	expand_text(x, span_part(*rest, 1, len - 2), out);
	*rest = span_skip(*rest, len);
	return buf_span(out);
}

/* "{left} operator {right}" and what follows. */
static void expand_comparison(struct expansion *x, struct span rest, struct buf *out)
{
	struct buf left = BUF_INIT(out->cap), right = BUF_INIT(out->cap);
	struct span whole = rest, word;
	size_t len = 0;
	bool result = false;

	take_operand(x, &rest, &left);
	rest = skip_space(rest);
	while (len < rest.len && !ascii_is_space(rest.ptr[len]) && rest.ptr[len] != '{')
		len++;
	word = span_head(rest, len);
	rest = span_skip(rest, len);
	if (!x->failed)
		take_operand(x, &rest, &right);
	if (!x->failed && x->visit == NULL &&
		!relation_evaluate(buf_span(&left), word, buf_span(&right), &result))
		fail(x, "bad operator or operand in a comparison", whole);
	buf_done(&left);
	buf_done(&right);
	if (x->failed)
		return;
	rest = skip_space(rest);
	if (rest.len == 0) /* without branches: a truth value that ${name?...} can test */
		buf_append_cstr(out, result ? "true" : "");
	else
		expand_branches(x, result, rest, out);
}

/* What stands within ${...} or $(...). */
static void expand_inner(struct expansion *x, struct span inner, struct buf *out)
{
	struct span rest = skip_space(inner);

	if (rest.len > 0 && rest.ptr[0] == '{') {
		expand_comparison(x, rest, out);
		return;
	}
	struct span name = take_name(&rest);
	rest = skip_space(rest);
	if (name.len == 0) {
		fail(x, "empty macro name", inner);
	} else if (rest.len == 0) {
		insert_value(x, name, out);
	} else if (rest.ptr[0] == '?' || rest.ptr[0] == ':') {
		/* As in Postfix the test looks at the value as it is written. */
		const char *value = look_up(x, name);
		expand_branches(x, value != NULL && value[0] != '\0', rest, out);
	} else {
		fail(x, "attribute name syntax error", inner);
	}
}

/* rest stands behind a '$'. */
static struct span expand_macro(struct expansion *x, struct span rest, struct buf *out)
{
	char first = rest.len > 0 ? rest.ptr[0] : '\0';

	if (first == '$') {
		buf_append_char(out, '$');
		return span_skip(rest, 1);
	}
	if (first == '{' || first == '(') {
		size_t len = balanced(rest, first, first == '{' ? '}' : ')');
		if (len == 0) {
			fail(x, "truncated macro reference", rest);
			return SPAN_EMPTY;
		}
		expand_inner(x, span_part(rest, 1, len - 2), out);
		return span_skip(rest, len);
	}
	struct span name = take_name(&rest);
	if (name.len == 0)
		fail(x, "empty macro name", rest);
	else
		insert_value(x, name, out);
	return rest;
}

static void expand_text(struct expansion *x, struct span text, struct buf *out)
{
	if (x->failed)
		return;
	if (x->depth >= EXPAND_DEPTH_MAX) {
		fail(x, "unreasonable macro call nesting", text);
		return;
	}
	x->depth++;
	while (text.len > 0 && !x->failed) {
		size_t at = span_find_char(text, '$');
		buf_append(out, span_head(text, at == SIZE_MAX ? text.len : at));
		if (at == SIZE_MAX)
			break;
		text = expand_macro(x, span_skip(text, at + 1), out);
		if (out->overflow)
			fail(x, "the value is too long", text);
	}
	x->depth--;
}

bool expand(struct span text, const struct expand_source *source, struct buf *out,
	struct buf *ret_error)
{
	struct expansion x = {.source = source, .error = ret_error};

	expand_text(&x, text, out);
	if (out->overflow)
		fail(&x, "the value is too long", text);
	return !x.failed;
}

bool expand_names(struct span text, void (*visit)(void *arg, struct span name), void *arg)
{
	struct buf out = BUF_INIT(1u << 20), error = BUF_INIT(1000);
	struct expansion x = {.visit = visit, .visit_arg = arg, .error = &error};

	expand_text(&x, text, &out);
	buf_done(&out);
	buf_done(&error);
	return !x.failed;
}
