"""What the command line asks: of each checkpoint the analyses with their settings."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analyses.curves import of_run
from analyses.stored import is_result_file, label_of, read_result
from analyses.subjects import ObjectiveMaker, Subject, check_labels, parse_subjects
from analyses.table import HELD_OUT
from landscape.errors import InputError
from landscape.objective import Objective
from landscape.results import Result


@dataclass(frozen=True)
class Question:
    """What is asked of one subject: analyses with their settings, or a result that is there."""

    label: str
    settings: Mapping[str, Any]
    subject: Subject
    maker: ObjectiveMaker | None = None
    stored: Result | None = None

    def objective(self, analysis: str, *, verify: bool) -> Objective:
        """What ``analysis`` is of: the split asked for, or the one that it is about."""
        assert self.maker is not None
        objective = self.maker.make(self.subject, self.split(analysis), verify=verify)
        objective.origin["label"] = self.label
        return objective

    def split(self, analysis: str) -> str:
        """The split of the data that ``analysis`` is measured on."""
        assert self.maker is not None
        is_chosen = len(self.settings) == 1 and "split" in vars(self.maker.arguments)
        return "test" if analysis in HELD_OUT and not is_chosen else self.maker.split


def read_questions(arguments: argparse.Namespace, settings: Mapping[str, Any]) -> list[Question]:
    """Every question of the command line, each tried out so far that what is wrong shows early."""
    maker = ObjectiveMaker(arguments)
    subjects = parse_subjects(arguments.checkpoints, label_of)
    files = [subject for subject in subjects if is_result_file(subject.path)]
    checkpoints = [subject for subject in subjects if subject not in files]
    is_report = arguments.analysis == "report"
    check_labels(checkpoints if is_report else subjects)
    if list(settings) == ["curves"]:  # they need neither data nor weights
        return [
            Question(one.label, settings, one, None, _curves(one, settings["curves"]))
            for one in subjects
        ]
    if list(settings) == ["interpolate"]:
        questions = _pairs(checkpoints, settings["interpolate"], maker) if checkpoints else []
    else:
        asked = {name: one for name, one in settings.items() if name != "interpolate"}
        questions = [Question(one.label, asked, one, maker) for one in checkpoints]
    if len(questions) > 1:  # what is wrong with the last is said before the first is measured
        questions = _with_references(questions)
    wanted = "" if is_report else arguments.analysis
    drawn = [Question(one.label, {}, one, None, read_result(one, wanted)) for one in files]
    _check_once(drawn)
    place = {subject: number for number, subject in enumerate(subjects)}
    return sorted([*drawn, *questions], key=lambda question: place[question.subject])


def _with_references(questions: list[Question]) -> list[Question]:
    """Each is made once without measuring; weights are compared with the first of their kind."""
    firsts: dict[str, Question] = {}
    found = []
    for question in questions:
        origin = question.objective(next(iter(question.settings)), verify=False).origin
        kind = f"{origin.get('model')} {origin.get('model_args')}"
        first = firsts.setdefault(kind, question)
        asked = dict(question.settings)
        if "similarity" in asked and first is not question and not asked["similarity"].reference:
            path = str(first.subject.path)
            asked["similarity"] = replace(asked["similarity"], reference=path)
        found.append(replace(question, settings=asked))
    return found


def _curves(subject: Subject, settings: Any) -> Result:
    if is_result_file(subject.path):
        return read_result(subject, "curves")
    return of_run(subject.path, subject.label, settings)


def _check_once(questions: Sequence[Question]) -> None:
    """Raise InputError if two stored results are of one analysis under one label."""
    seen = set()
    for question in questions:
        assert question.stored is not None
        key = question.label, question.stored.analysis
        if key in seen:
            raise InputError(
                f"two results of {key[1]} are labelled {key[0]!r}; tell them apart as LABEL=FILE"
            )
        seen.add(key)


def _pairs(subjects: list[Subject], settings: Any, maker: ObjectiveMaker) -> list[Question]:
    """The first checkpoint with each of the others."""
    if len(subjects) < 2:
        raise InputError("interpolate takes two or more checkpoints: the first with each other one")
    first, *others = subjects
    for other in others:
        maker.make(other, verify=False)  # that it is there and can be read
    return [
        Question(
            f"{first.label}-to-{other.label}",
            {"interpolate": replace(settings, toward_x=str(other.path))},
            first,
            maker,
        )
        for other in others
    ]
