"""The files that a user's function is made of."""

import hashlib

from landscape.runtime.user_sources import hash_user_files


def test_the_file_and_what_it_imports_beside_it(tmp_path):
    files = {
        "mine.py": "import torch, helper\ndef f():\n    from package.part import x\n",
        "helper.py": "import deeper\nimport mine\n",
        "deeper.py": "not python\n",
        "package/__init__.py": "",
        "package/part.py": "x = 1\n",
        "unrelated.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    del files["unrelated.py"]
    expected = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    expected["mine.py:f"] = expected.pop("mine.py")
    assert hash_user_files(f"{tmp_path}/mine.py:f") == expected


def test_a_moved_file_is_the_same(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text("def f(): return 1\n")
    first, second = (hash_user_files(f"{tmp_path}/{folder}/mine.py:f") for folder in "ab")
    assert first == second
