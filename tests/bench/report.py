"""What a run has found, as tables and as JSON.

SPDX-License-Identifier: ISC
"""
import json
import math
import os
import platform
import statistics
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# name of the figure, head of its column, digits after the point; in the order of the columns
FIGURES = (
    ('messages', 'messages', 0), ('sessions', 'sessions', 0),
    ('cpu_us', 'CPU per operation, us', None), ('rate', 'per second', 0), ('p50_ms', 'p50, ms', 1),
    ('p99_ms', 'p99, ms', 1), ('pss_kib', 'PSS per session, KiB', 1),
    ('rss_kib', 'peak RSS of qmgr, KiB', 0), ('greeted_ms', 'new client greeted, ms', 1),
    ('bytes', 'memory of qmgr per message, bytes', 0), ('first_ms', 'mailq, first line, ms', 0),
    ('listed_us', 'mailq, us per message', 1), ('restart_ms', 'start until mailq is whole, ms', 0),
    ('flush_rate', 'flushed per second', 0),
)


def line(found):
    """One result for people who watch."""
    if 'failed' in found:
        return 'FAILED: ' + found['failed']
    words = ['%s %s' % (name, shown(found[name], digits))
             for name, _, digits in FIGURES if name in found]
    return '  '.join(words + [str(found[key]) for key in ('parts', 'note') if found.get(key)])


def shown(value, digits):
    if isinstance(value, str):
        return value
    if digits is None:  # three figures that count
        digits = max(0, 2 - math.floor(math.log10(value))) if 0 < value < 100 else 0
    return '%.*f' % (digits, value)


def median(rounds):
    """Of each figure the median of the rounds that did not fail; {'failed': why} when all did."""
    good = [found for found in rounds if 'failed' not in found]
    if not good:
        return rounds[0]
    middle = {}
    for name in good[0]:
        values = [found[name] for found in good if name in found]
        numbers = all(isinstance(v, (int, float)) for v in values)
        middle[name] = statistics.median(values) if numbers else values[0]
    return middle


def ratio(found, peer):
    """How this server's CPU compares with that of the first of the row."""
    if not peer or not peer.get('cpu_us') or not found.get('cpu_us'):
        return ''
    return '1/%.1f' % (peer['cpu_us'] / found['cpu_us'])


def lines_of_row(run, row, columns):
    peer = None
    for kind in run.kinds:
        rounds = run.results.get((row.key, kind))
        if not rounds:
            continue
        found = median(rounds)
        words = [row.title if peer is None else '', kind.name]
        if 'failed' in found:
            words.append('FAILED: ' + found['failed'].replace('|', '/'))
            words += [''] * len(columns)
        else:
            words += [shown(found[name], digits) if name in found else ''
                      for name, _, digits in columns]
            words.append(ratio(found, peer))
        failed = sum('failed' in each for each in rounds)
        if failed and 'failed' not in found:
            words[1] += ' (%d of %d rounds failed)' % (failed, len(rounds))
        yield '| %s |' % ' | '.join(words)
        peer = peer or found


def table(run, group):
    rows = [row for row in run.rows if row.group == group]
    keys = {row.key for row in rows}
    found = {name for (key, _), rounds in run.results.items() if key in keys
             for result in rounds for name in result}
    columns = [figure for figure in FIGURES if figure[0] in found]
    heads = ['work', 'server'] + [head for _, head, _ in columns] + ['CPU to the peer']
    lines = ['| %s |' % ' | '.join(heads), '|---|---|%s' % ('---:|' * (len(columns) + 1))]
    for row in rows:
        lines += lines_of_row(run, row, columns)
    return '\n'.join(lines)


def text(run):
    groups = list(dict.fromkeys(row.group for row in run.rows))
    parts = ['%s\n\n%s\n' % (group, table(run, group)) for group in groups]
    parts.append('%s, %d CPUs, %s; %d round(s), %.0f s, %d failed' % (
        platform.release(), os.cpu_count(), run.disk, run.rounds, run.took, run.failures()))
    return '\n'.join(parts)


def commit():
    done = subprocess.run(['git', '-C', HERE, 'describe', '--always', '--dirty'],
                          capture_output=True, text=True)
    return done.stdout.strip()


def write_json(run, path, command):
    rows = []
    for row in run.rows:
        servers = {kind.name: {'median': median(run.results[row.key, kind]),
                               'rounds': run.results[row.key, kind]}
                   for kind in run.kinds if (row.key, kind) in run.results}
        rows.append({'key': row.key, 'title': row.title, 'group': row.group, 'servers': servers})
    with open(path, 'w') as f:
        json.dump({'command': command, 'when': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
                   'commit': commit(), 'kernel': platform.release(), 'cpus': os.cpu_count(),
                   'disk': run.disk, 'seconds': round(run.took), 'failed': run.failures(),
                   'rows': rows}, f, indent=1)
        f.write('\n')
