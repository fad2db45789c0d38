"""
Runs the examples of the documentation: what a page shows is what these tests have run.
"""
