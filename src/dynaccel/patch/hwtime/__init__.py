# SPDX-License-Identifier: GPL-2.0-or-later
"""Bring drivers into hardware time: which names of a tree are converted, and which stay, and why.

From the tables (:mod:`rules`) to a file's names (:mod:`lex`, :mod:`own`, :mod:`convert`), the
readings of clocks among them (:mod:`deadlines`, :mod:`marks`), a whole tree (:mod:`tree`) and what
is said about it (:mod:`border`, :mod:`report`).
"""
