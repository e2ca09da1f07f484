# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the documentation's site (`make docs`)."""

import os

project = 'hpc.msr_safe'
copyright = 'the hpc.msr_safe contributors'
release = os.environ.get('MSR_SAFE_VERSION', '')

extensions = ['myst_parser', 'sphinx.ext.intersphinx', 'sphinx_antsibull_ext']
root_doc = 'index'
templates_path = []
exclude_patterns = ['**/README.rst']

# Guides
myst_heading_anchors = 4
suppress_warnings = ['myst.header']

# What these pages show in code is often not whole: `…`, a prompt, a diff
highlight_language = 'none'

# Pages of plugins name some of Ansible's own. docs_site.py writes where those are, so that no network is needed
intersphinx_mapping = {'ansible': ('https://docs.ansible.com/ansible/latest/', 'ansible.inv')}
nitpicky = True

html_theme = 'furo'
html_title = 'hpc.msr_safe'
html_static_path = ['static']
html_css_files = ['site.css']
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
