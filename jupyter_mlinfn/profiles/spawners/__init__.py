"""One pure adapter per spawner: a plan and what the site is like become *every* trait owned."""
