"""Interruptions of what is measured."""

from landscape.results.journal import Journal


def interrupt_after(monkeypatch, count):
    """Interrupt the work when so many points are in the journal."""
    add = Journal.add

    def until(self, key, content):
        if len(self) == count:
            raise KeyboardInterrupt
        add(self, key, content)

    monkeypatch.setattr(Journal, "add", until)
