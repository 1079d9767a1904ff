/* How many deliveries a destination gets at once: feedback from successes and failures.
 * Postfix: SCHEDULER_README, "Concurrency scheduling".
 * SPDX-License-Identifier: ISC */
#include "base/ascii.h"
#include "qmgr/schedule_private.h"

static bool parse_decimal(struct span text, double *ret_value)
{
	double value = 0, scale = 1;
	bool point = false, digit = false;
	for (size_t i = 0; i < text.len && i < 16; i++) {
		if (text.ptr[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (!ascii_is_digit(text.ptr[i]))
			return false;
		digit = true;
		if (point)
			scale /= 10;
		value = point ? value + (text.ptr[i] - '0') * scale
			: value * 10 + (text.ptr[i] - '0');
	}
	*ret_value = value;
	return digit && text.len <= 16;
}

bool feedback_parse(struct span text, struct feedback *ret_feedback)
{
	struct span rest = span_trim(text);
	struct span number = span_trim(span_split(&rest, '/'));
	struct feedback feedback = {0, FEEDBACK_CONSTANT};
	if (!parse_decimal(number, &feedback.value) || feedback.value < 0 || feedback.value > 1)
		return false;
	if (rest.ptr != NULL) {
		rest = span_trim(rest);
		if (span_equal(rest, SPAN("concurrency")))
			feedback.kind = FEEDBACK_CONCURRENCY;
		else if (span_equal(rest, SPAN("sqrt_concurrency")))
			feedback.kind = FEEDBACK_SQRT_CONCURRENCY;
		else
			return false;
	}
	*ret_feedback = feedback;
	return true;
}

static double square_root(double value)
{
	double guess = value > 1 ? value : 1;
	for (int i = 0; i < 30; i++)
		guess = (guess + value / guess) / 2;
	return guess;
}

static double amount(const struct feedback *feedback, double window)
{
	switch (feedback->kind) {
	case FEEDBACK_CONSTANT: return feedback->value;
	case FEEDBACK_CONCURRENCY: return feedback->value / window;
	case FEEDBACK_SQRT_CONCURRENCY: return feedback->value / square_root(window);
	}
	return 0;
}

void concurrency_success(struct destination *destination)
{
	const struct transport_limits *limits = &destination->transport->limits;
	destination->fail_cohorts = 0;
	if (limits->concurrency_limit > 0 && destination->window >= (double)limits->concurrency_limit)
		return;
	/* Growth is only for those that use what they have. */
	if (destination->window >= (double)(destination->busy + limits->initial_concurrency))
		return;
	destination->success += amount(&limits->positive, destination->window);
	while (destination->success >= 1) {
		destination->window += 1;
		destination->success -= 1;
		destination->failure = 0;
	}
}

bool concurrency_failure(struct destination *destination)
{
	const struct transport_limits *limits = &destination->transport->limits;
	destination->fail_cohorts += 1 / destination->window;
	if (limits->failed_cohort_limit > 0 &&
		destination->fail_cohorts + 1e-9 >= (double)limits->failed_cohort_limit)
		return true;
	destination->failure += amount(&limits->negative, destination->window);
	while (destination->failure >= 1) {
		destination->window -= 1;
		destination->failure -= 1;
		destination->success = 0;
	}
	if (destination->window < 1)
		destination->window = 1;
	return false;
}
