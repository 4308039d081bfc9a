"""Files of text, of any program, as lines, cells and numbers; units that stand in the heads of columns.

It knows no profile and no experiment. Whatever is wrong with a file ends in a `TextError` of one line.
"""
