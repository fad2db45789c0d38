"""
How the documentation is built: prose with Sphinx, the API reference with pydoctor from the epytext docstrings.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE / "_ext")]

from agtwisted import __version__  # noqa: E402

project = "agtwisted"
author = "The agtwisted developers"
project_copyright = "2026, The agtwisted developers"
release = version = __version__

extensions = ["sphinx.ext.intersphinx", "pydoctor.sphinx_ext.build_apidocs", "generated"]
exclude_patterns = ["_build", "_ext", "examples"]
# Nothing is fetched while building: the only inventory is the one that pydoctor writes (see build_apidocs).
intersphinx_mapping: dict[str, tuple[str, None]] = {}
default_role = "any"
nitpicky = True

html_theme = "furo"
html_title = f"agtwisted {release}"
html_copy_source = False

pydoctor_url_path = "reference/api"
pydoctor_args = [
    "--project-name=agtwisted",
    f"--project-version={release}",
    "--project-url=../../index.html",
    f"--project-base-dir={ROOT}",
    "--docformat=epytext",
    "--theme=readthedocs",
    "--system-class=externallinks.OfflineSystem",
    "--html-output={outdir}/reference/api",
    str(ROOT / "agtwisted"),
]
