"""The pictures of the report, one module each: figures in, a figure and the sentence that it shows out."""
