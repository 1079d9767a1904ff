"""Sequences of commands on one connection, against a model of the phases of a protocol.

A model says of each command what will be sent, what must be answered, and which phase follows (Step). The
same commands are sent one by one, each after the reply of the last, and many in one packet: the replies
must be the same. Models are in the stories.

TAMBO_LONG in the environment: all triples instead of a seeded sample of them.

SPDX-License-Identifier: ISC
"""
import itertools
import os
import random
import re
import ssl
import threading
import traceback

LONG = bool(os.environ.get('TAMBO_LONG'))
PROBLEMS_MAX = 10


class Step:
    """parts: what is sent; between two parts the server must ask for more (always, also in a packet of many,
    when `waits`). check(reply lines): None or what is wrong. last: nothing may be sent behind it before its
    reply came. tls: the handshake follows. over: the server hangs up; before it does, it may still say lines
    like this pattern."""

    def __init__(self, name, parts, check, last=False, tls=False, over=None, waits=False):
        self.name, self.parts, self.check = name, parts, check
        self.last, self.tls, self.over, self.waits = last or tls or over is not None, tls, over, waits


class Wrong(Exception):
    pass


class Player:
    """Plays steps on a wire. read(wire, step, more): one reply; more: it must be the request for more."""

    def __init__(self, wire, read, pipelined):
        self.wire, self.read, self.pipelined = wire, read, pipelined
        self.waiting, self.played = [], []

    def play(self, step):
        self.waiting.append(step)
        if not self.pipelined or step.last or (step.waits and len(step.parts) > 1):
            self.flush()

    def flush(self):
        steps, self.waiting = self.waiting, []
        if not steps:
            return
        self.wire.send(b''.join(part for step in steps
                                for part in (step.parts[:1] if step.waits else step.parts)))
        for step in steps:
            self.played.append(step.name)
            for part in step.parts[1:]:
                wrong = self.read(self.wire, step, True)
                if wrong:
                    raise Wrong(wrong)
                if step.waits:
                    self.wire.send(part)
            wrong = step.check(self.read(self.wire, step, False))
            if wrong:
                raise Wrong(wrong)
            if step.tls:
                self.wire.start_tls()
            if step.over is not None:
                self.end(step)

    def end(self, step):
        line = self.wire.line()
        while not self.wire.ended:
            if not step.over or not re.match(step.over, line):
                raise Wrong('it should be over, but: %r' % line)
            line = self.wire.line()


def describe(player, error):
    way = 'in one packet' if player.pipelined else 'one by one'
    return '%s (%s): %s' % (' '.join(player.played[-12:]), way, error)


def attempt(player, work):
    """Runs work(); None, or the text of what went wrong."""
    try:
        work()
        return None
    except (Wrong, OSError, ssl.SSLError) as error:
        return describe(player, error)


def sample(sequences, fraction, seed=1, always=lambda sequence: False):
    """All of them if TAMBO_LONG is set, else a part: some always."""
    chosen = random.Random(seed)
    return (sequence for sequence in sequences
            if LONG or chosen.random() < fraction or always(sequence))


def pairs_and_triples(names, fraction, middle):
    """All pairs, and a sample of the triples: all that have this command in the middle."""
    yield from itertools.product(names, repeat=2)
    yield from sample(itertools.product(names, repeat=3), fraction, always=lambda triple: triple[1] == middle)


def de_bruijn(names, length):
    """A list in which each sequence of that length stands once, if it is read as a circle."""
    names, found = list(names), []
    word = [0] * (len(names) * length)

    def extend(at, period):
        if at > length:
            if length % period == 0:
                found.extend(word[1:period + 1])
            return
        word[at] = word[at - period]
        extend(at + 1, period)
        for letter in range(word[at - period] + 1, len(names)):
            word[at] = letter
            extend(at + 1, at)
    extend(1, 1)
    return [names[letter] for letter in found + found[:length - 1]]


def walks(names, steps, seed=1):
    """For a session that goes on and on: all pairs, then all triples or a random walk of so many steps. In
    pieces, so that several sessions share the work; each piece ends where the next begins."""
    chosen = random.Random(seed)
    whole = de_bruijn(names, 2) + (de_bruijn(names, 3) if LONG else chosen.choices(list(names), k=steps))
    size = 400
    return [whole[at:at + size + 2] for at in range(0, len(whole), size)]


def share(items, work, workers=6):
    """work(item, number of the worker) -> None or a problem, in several threads; fails with the problems."""
    lock, left, problems = threading.Lock(), iter(items), []

    def run(number):
        while len(problems) < PROBLEMS_MAX:
            with lock:
                item = next(left, None)
            if item is None:
                return
            try:
                problem = work(item, number)
            except Exception:
                problem = traceback.format_exc()
            if problem:
                problems.append(problem)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, '\n'.join(problems)


class Session:
    """A connection: .wire, .player, .step(name) -> Step."""

    def play(self, names):
        """Plays them, up to one that ends the connection. False: it has ended."""
        for name in names:
            step = self.step(name)
            self.player.play(step)
            if step.over is not None:
                return False
        return True

    def finish(self):
        self.player.flush()
        self.wire.close()


def write_users(t, count):
    """Accounts whose passwords cost nothing to check."""
    with open(os.path.join(t.config, 'users'), 'w') as f:
        for n in range(count):
            f.write('user%d@example.test:{PLAIN}secret:%d:%d::%s/user%d::\n' % (n, t.uid, t.gid, t.vmail, n))


def play_from_the_greeting(connect, sequences, ending, workers):
    """Each sequence, and what tells in which phase it ended, on two connections: one by one and in packets.
    connect(number of the worker, pipelined) -> Session."""
    def work(item, number):
        names, pipelined = item
        session = connect(number, pipelined)

        def run():
            if session.play(names):
                session.play(ending)
            session.finish()
        return attempt(session.player, run)
    share(((names, pipelined) for names in sequences for pipelined in (False, True)), work, workers)


def play_on_and_on(connect, pieces, login, ending, workers):
    """Each piece on one connection, or on as many as it ends. connect(number of the worker) -> Session."""
    def work(piece, number):
        at = 0
        while at < len(piece):
            session = connect(number)

            def run():
                nonlocal at
                session.play(login)
                while at < len(piece):
                    at += 1
                    if not session.play(piece[at - 1:at]):
                        break
                    if at % 50 == 0:
                        session.player.flush()
                else:
                    session.play(ending)
                session.finish()
            wrong = attempt(session.player, run)
            if wrong:
                return wrong
        return None
    share(pieces, work, workers)
