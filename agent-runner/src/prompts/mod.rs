//! The words that worker and Director are told, as Markdown files, and the small renderer that fills them.
