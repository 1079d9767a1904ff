/* Writes the manual page main.cf(5) from the parameter tables. Run by the build, not installed.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/parameter.h"

static const char *type_name(const struct parameter *parameter)
{
	switch (parameter->type) {
	case PARAMETER_STRING:
		return "text";
	case PARAMETER_BOOL:
		return "yes or no";
	case PARAMETER_INT:
		return "number";
	case PARAMETER_SIZE:
		return "bytes";
	case PARAMETER_TIME:
		return "time";
	case PARAMETER_LIST:
		return "list";
	case PARAMETER_MAPS:
		return "tables";
	case PARAMETER_PATH:
		return "path";
	case PARAMETER_ENUM:
		return "one of";
	}
	return "";
}

/* Text that roff takes as it is. */
static void print_text(const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\\')
			fputs("\\e", stdout);
		else if (*c == '"')
			fputs("\\(dq", stdout);
		else if (*c == '-')
			fputs("\\-", stdout);
		else
			putchar(*c);
	}
}

static const char *unit_name(const struct parameter *parameter)
{
	switch (parameter->unit) {
	case 'm':
		return ", minutes without a unit";
	case 'h':
		return ", hours without a unit";
	case 'd':
		return ", days without a unit";
	case 'w':
		return ", weeks without a unit";
	}
	return "";
}

static void print_range(const struct parameter *parameter)
{
	if (parameter->min != 0 && parameter->max != 0 && parameter->max != INT32_MAX)
		printf(", %lld to %lld", (long long)parameter->min, (long long)parameter->max);
	else if (parameter->min != 0)
		printf(", at least %lld", (long long)parameter->min);
	else if (parameter->max != 0 && parameter->max != INT32_MAX)
		printf(", at most %lld", (long long)parameter->max);
}

static void print_parameter(const struct parameter *parameter)
{
	printf(".It Cm %s No \\(dq", parameter->name);
	const char *text = parameter_text(parameter);
	if (parameter->compute != COMPUTE_NOTHING)
		fputs("found on the host", stdout);
	else
		print_text(text[0] == '\0' ? "empty" : text);
	printf("\\(dq\n");
	print_text(parameter->meaning);
	printf(".\n(%s%s%s", type_name(parameter), parameter->type == PARAMETER_ENUM ? ": " : "",
		parameter->type == PARAMETER_ENUM ? parameter->words : unit_name(parameter));
	print_range(parameter);
	if (parameter->status == PARAMETER_ACCEPTED)
		fputs("; accepted, without effect", stdout);
	else if (parameter->status == PARAMETER_UNSUPPORTED)
		fputs("; not supported in this version", stdout);
	printf(")\n");
}

static void print_rules(void)
{
	printf(".Ss names made from a transport's name\n"
	       "Each takes the name of a service of master.cf in front, as in\n"
	       ".Cm smtp_destination_rate_delay .\n"
	       ".Bl -tag -width indent\n");
	for (size_t i = 0; i < parameter_rule_count; i++) {
		printf(".It Ar transport Ns Cm %s No \\(dq", parameter_rules[i].suffix);
		print_text(parameter_rules[i].text);
		printf("\\(dq\n");
		print_text(parameter_rules[i].meaning);
		printf(".\n");
	}
	printf(".El\n");
}

int main(void)
{
	printf(".Dd November 22, 2026\n.Dt MAIN.CF 5\n.Os Tambo\n.Sh NAME\n.Nm main.cf\n"
	       ".Nd parameters of the mail server\n.Sh DESCRIPTION\n"
	       "The file has one\n.Ar name Li = Ar value\nper logical line. A line that starts with white "
	       "space continues the one before; empty lines and lines that start with\n.Ql #\nare "
	       "skipped, also between a line and its continuation. The last line of a name counts. "
	       "There are no comments behind a value.\n.Pp\n"
	       "Values may refer to others, in any order:\n.Bl -tag -width indent\n"
	       ".It $name , ${name} , $(name)\nthe value of name, expanded in turn.\n"
	       ".It ${name?text} , ${name:text} , ${name?{text}:{text}}\n"
	       "text if name has a value, text if it has none.\n"
	       ".It ${{a} < {b} ? {text} : {text}}\n"
	       "text by comparison: == != < <= > >=, of numbers when both sides are, and the same "
	       "followed by\n.Ql level\nfor compatibility levels.\n"
	       ".It $$\na dollar.\n.El\n.Pp\n"
	       "Times take the units s, m, h, d and w, sizes k, m and g. Lists are separated by commas and "
	       "white space;\n.Ql {\nand\n.Ql }\nkeep together what belongs together. "
	       "Any other name is one's own, and means something where another value refers to it.\n"
	       ".Xr postconf 1\nshows and edits the file, and\n.Cm tambo check\nlooks for mistakes in it.\n"
	       ".Sh PARAMETERS\nEach with its default.\n");
	for (size_t i = 0; i < parameter_table_count; i++) {
		const struct parameter_table *table = parameter_tables[i];
		printf(".Ss %s\n.Bl -tag -width indent\n", table->topic);
		for (size_t row = 0; row < table->count; row++)
			print_parameter(&table->rows[row]);
		printf(".El\n");
	}
	print_rules();
	printf(".Sh FILES\n.Pa /etc/postfix/main.cf ,\nor\n.Pa /etc/tambo/main.cf\n"
	       "where the first does not exist.\n"
	       ".Sh SEE ALSO\n.Xr postconf 1 ,\n.Xr master.cf 5 ,\n.Xr tambo-tables 5\n");
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "cannot write the page: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}
