"""From posts to what is worth training on: photographs bounded and stripped, texts cleaned by named rules, each counted."""
