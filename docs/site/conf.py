"""Settings of the site for Sphinx; `make site` (build.py) lays out the sources and calls it with them.

Kept: Sphinx with MyST-NB and the book theme. Jupyter Book 2 and MyST's own tool need Node, fetch their theme when they
build, and make no pages of a package's docstrings.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]
repository = os.environ.get("SPKIT_REPOSITORY", "")  # owner/name on GitHub; without it there are no launch buttons

project, author, project_copyright = "spkit", "The spkit authors", "The spkit authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx.ext.mathjax", "hooks"]
root_doc, language = "index", "en"
smartquotes = False  # "--task" is an option
highlight_language = "text"

nb_execution_mode = "off"  # outputs are the committed ones
nb_ipywidgets_js = {}
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 4
mathjax_path = "mathjax/tex-svg.js"  # beside the pages: glyphs are paths, so that no fonts are fetched

autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False
python_maximum_signature_line_length = 80

html_theme = "sphinx_book_theme"
html_title = "spkit: self-play for language models"
html_static_path = ["static"]  # and MathJax, which build.py adds
html_css_files = ["site.css"]
html_js_files = ["offline.js"]
html_copy_source = False
html_domain_indices = False
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "show_navbar_depth": 1,
    "navigation_with_keys": False,
    "navbar_persistent": [],  # the search is at the side
}
if repository:
    html_theme_options |= {
        "repository_url": f"https://github.com/{repository}",
        "repository_branch": "main",
        "path_to_docs": "",
        "use_repository_button": True,
        "launch_buttons": {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
        },
    }
