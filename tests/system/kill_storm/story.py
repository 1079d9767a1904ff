"""kill -9 of random processes under load: a short storm (storm.py has the long one).

SPDX-License-Identifier: ISC
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storm import storm  # noqa: E402


def test_every_message_that_was_acknowledged_arrives_whatever_is_killed(folder):
    print('      ' + storm(folder, kills=40, seconds=10))
