"""Queries of every kind over the small library of test_breakdown.py, and how their steps are told and counted."""

from __future__ import annotations

import pytest

QUERIES = [
    pytest.param(
        "SELECT b.title, SUM(l.days) AS days FROM loans AS l JOIN books AS b ON b.book_id = l.book_id "
        "WHERE l.lent_on >= '2025-02-01' AND b.pages > 100 "
        "GROUP BY b.title HAVING SUM(l.days) > 5 ORDER BY days DESC LIMIT 1",
        [
            "Start with all rows of loans. 7",
            "Join each loan to its book. 7 → 7",
            "Keep the rows where lent on is not before 1 February 2025. 7 → 6",
            "Keep the rows where pages is above 100. 6 → 3",
            "Make one row for each title, and work out days (the total days). 3 → 3",
            "Of these, keep those where the total days is above 5. 3 → 2",
            "Sort by days, highest first. 2 → 2",
            "Keep the first row. 2 → 1",
        ],
        id="join, filters, groups, having, sorting, limit",
    ),
    pytest.param(
        "WITH per_branch AS (SELECT branch_id, COUNT(*) AS held FROM books "
        "WHERE branch_id IS NOT NULL GROUP BY branch_id) "
        "SELECT r.city, p.held FROM branches AS r LEFT JOIN per_branch AS p ON p.branch_id = r.branch_id "
        "ORDER BY r.city",
        [
            "Start with all rows of books. 5",
            "Keep the rows where branch ID is known. 5 → 4",
            "Make one row for each branch ID, and work out held (the number of rows). 4 → 2",
            "Start with all rows of branches. 3",
            "Join each row of branches to the rows of “per branch” with the same branch ID; rows without one stay. "
            "3 → 3",
            "Sort by city, from A to Z. 3 → 3",
        ],
        id="a named query, and a left join",
    ),
    pytest.param(
        "SELECT title FROM books WHERE pages > (SELECT AVG(pages) FROM books) ORDER BY title",
        [
            "Start with all rows of books. 5",
            "Take all rows together, and work out the average pages. 5 → 1",
            "Start with all rows of books. 5",
            "Keep the rows where pages is above what step 2 found. 5 → 2",
            "Sort by title, from A to Z. 2 → 2",
        ],
        id="a query within a condition",
    ),
    pytest.param(
        "SELECT title FROM books WHERE book_id NOT IN (SELECT book_id FROM loans)",
        [
            "Start with all rows of loans, and take book ID. 7",
            "Start with all rows of books. 5",
            "Keep the rows where book ID is not among those of step 1. 5 → 1",
            "Show title. 1 → 1",
        ],
        id="what is not in a list",
    ),
    pytest.param(
        "SELECT b.title FROM books AS b WHERE EXISTS "
        "(SELECT 1 FROM loans AS l WHERE l.book_id = b.book_id AND l.days > 20) ORDER BY b.title",
        [
            "Start with all rows of books. 5",
            "Keep the rows where there is a matching row in loans. 5 → 2",
            "Sort by title, from A to Z. 2 → 2",
        ],
        id="a query that reads the one around it stays within its step",
    ),
    pytest.param(
        "SELECT city AS name FROM branches UNION ALL SELECT title FROM books WHERE pages < 100 ORDER BY name LIMIT 2",
        [
            "Start with all rows of branches. 3",
            "Show name. 3 → 3",
            "Start with all rows of books. 5",
            "Keep the rows where pages is below 100. 5 → 1",
            "Show title. 1 → 1",
            "Put the rows of step 2 and step 5 together. 4",
            "Sort by name. 4 → 4",
            "Keep the first 2 rows. 4 → 2",
        ],
        id="two lists",
    ),
    pytest.param(
        "SELECT city FROM branches "
        "EXCEPT SELECT r.city FROM branches AS r JOIN books AS b ON b.branch_id = r.branch_id",
        [
            "Start with all rows of branches. 3",
            "Show city. 3 → 3",
            "Start with all rows of branches. 3",
            "Join each branch to its books. 3 → 4",
            "Show city. 4 → 4",
            "Keep the rows of step 2 that step 5 does not have. 1",
        ],
        id="one list without another",
    ),
    pytest.param(
        "SELECT title, RANK() OVER (ORDER BY pages DESC) AS place FROM books WHERE pages IS NOT NULL ORDER BY place",
        [
            "Start with all rows of books. 5",
            "Keep the rows where pages is known. 5 → 4",
            "Add to each row place (the rank by pages, highest first). 4 → 4",
            "Sort by place. 4 → 4",
        ],
        id="a window",
    ),
    pytest.param(
        "SELECT COUNT(*) AS lent FROM loans WHERE lent_on >= '2025-02-01' AND lent_on < '2025-04-01'",
        [
            "Start with all rows of loans. 7",
            "Keep the rows where lent on is from 1 February 2025 to 31 March 2025. 7 → 4",
            "Take all rows together, and work out lent (the number of rows). 4 → 1",
        ],
        id="a period",
    ),
    pytest.param(
        "SELECT COUNT(*) FROM loans WHERE days > 100",
        ["Start with all rows of loans. 7", "Keep the rows where days is above 100. 7 → 0", "Count the rows. 0 → 1"],
        id="a step that leaves nothing",
    ),
    pytest.param(
        "SELECT title FROM books WHERE pages > 1000",
        ["Start with all rows of books. 5", "Keep the rows where pages is above 1,000. 5 → 0", "Show title. 0 → 0"],
        id="an answer without rows",
    ),
    pytest.param(
        "SELECT DISTINCT b.branch_id FROM books AS b, loans AS l WHERE l.book_id = b.book_id ORDER BY b.branch_id",
        [
            "Start with all rows of books. 5",
            "Join each book to its loans. 5 → 7",
            "Keep each different branch ID once. 7 → 2",
            "Sort by branch ID, lowest first. 2 → 2",
        ],
        id="sources that WHERE links, and each row once",
    ),
    pytest.param(
        "SELECT a.title FROM books AS a JOIN books AS b ON a.branch_id = b.branch_id AND a.pages > b.pages "
        "ORDER BY a.title",
        [
            "Start with all rows of books “a”. 5",
            "Join each book “a” to the books “b” with the same branch ID, "
            "where book “a” pages is above book “b” pages. 5 → 2",
            "Sort by book “a” title, from A to Z. 2 → 2",
        ],
        id="a table beside itself",
    ),
    pytest.param(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n WHERE i > 2",
        [
            "Build up “n” row by row, each from the ones before. 5",
            "Keep the rows where i is above 2. 5 → 3",
            "Show i. 3 → 3",
        ],
        id="a query that builds on itself",
    ),
    pytest.param(
        "SELECT title FROM books ORDER BY pages DESC, title LIMIT 2 OFFSET 2",
        [
            "Start with all rows of books. 5",
            "Sort by pages, highest first, then title, from A to Z. 5 → 5",
            "Skip the first 2 rows, then keep the next 2 rows. 5 → 2",
        ],
        id="some rows skipped",
    ),
    pytest.param(
        "SELECT title FROM books WHERE title = 'Ice' OR title = 'Fog' OR title = 'Rain'",
        [
            "Start with all rows of books. 5",
            "Keep the rows where title is “Ice”, “Fog” or “Rain”. 5 → 3",
            "Show title. 3 → 3",
        ],
        id="alternatives",
    ),
    pytest.param("SELECT 1 AS one", ["Run the query in one go. 1"], id="nothing to split"),
]
