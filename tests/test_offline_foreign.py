"""The offline analyst over schemas that are not in English, and questions that are not."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import date

import pytest

from agents.offline.analyst import Analyst
from agents.offline.english.others import ENGLISH_ONLY, is_in_another_language
from agents.offline.meaning.resolving import NotUnderstood
from agents.offline.narrator import OfflineNarrator
from agents.offline.starting import first_questions
from agents.question import Draft, Question
from jobs.evaluation.cases import read_cases
from tests.asked import QUESTIONS
from tools.reflection import read_catalog
from tools.sql_runner import Rows

TODAY = date(2026, 5, 20)
GERMAN = """
    CREATE TABLE Mitglieder (Mitglied_ID INTEGER PRIMARY KEY, Vorname TEXT, Nachname TEXT, Geburtsdatum DATE, Ort TEXT);
    CREATE TABLE Räume (Raum_ID INTEGER PRIMARY KEY, Bezeichnung TEXT, Größe INTEGER);
    CREATE TABLE Kurse (Kurs_ID INTEGER PRIMARY KEY, Bezeichnung TEXT, Raum_ID INTEGER REFERENCES Räume, Preis REAL);
    CREATE TABLE Buchungen (Buchung_ID INTEGER PRIMARY KEY, Mitglied_ID INTEGER REFERENCES Mitglieder,
        Kurs_ID INTEGER REFERENCES Kurse, Buchungsdatum DATE, Betrag REAL);
    INSERT INTO Mitglieder VALUES (1, 'Eva', 'Müller', '1990-02-01', 'Berlin'),
        (2, 'Jan', 'Koch', '1985-03-01', 'Köln'), (3, 'Eva', 'Koch', '1999-03-01', 'Berlin');
    INSERT INTO Räume VALUES (1, 'Halle', 300), (2, 'Saal', 90);
    INSERT INTO Kurse VALUES (1, 'Yoga', 2, 12.5), (2, 'Boxen', 1, 9), (3, 'Tanz', 2, 15);
    INSERT INTO Buchungen VALUES (1, 1, 1, '2026-04-01', 12.5), (2, 2, 1, '2026-04-02', 12.5),
        (3, 2, 2, '2026-05-02', 9);
"""
SPANISH = """
    CREATE TABLE clientes (id_cliente INTEGER PRIMARY KEY, nombre TEXT, apellido TEXT, ciudad TEXT);
    CREATE TABLE productos (id_producto INTEGER PRIMARY KEY, nombre TEXT, precio REAL);
    CREATE TABLE pedidos (id_pedido INTEGER PRIMARY KEY, id_cliente INTEGER REFERENCES clientes, fecha_pedido DATE);
    CREATE TABLE lineas_pedido (id_linea INTEGER PRIMARY KEY, id_pedido INTEGER REFERENCES pedidos,
        id_producto INTEGER REFERENCES productos, cantidad INTEGER, precio_unitario REAL);
    INSERT INTO clientes VALUES (1, 'Ana', 'Ruiz', 'Madrid'), (2, 'Luis', 'Díaz', 'Sevilla'),
        (3, 'Ana', 'Gil', 'Madrid');
    INSERT INTO productos VALUES (1, 'Vino', 12), (2, 'Queso', 7.5);
    INSERT INTO pedidos VALUES (1, 1, '2026-04-01'), (2, 1, '2026-04-02'), (3, 2, '2026-05-02');
    INSERT INTO lineas_pedido VALUES (1, 1, 1, 2, 12), (2, 2, 2, 1, 7.5), (3, 3, 1, 1, 12);
"""
SHOP = """
    CREATE TABLE kunde (kunde_id INTEGER PRIMARY KEY, name TEXT, stadt TEXT);
    CREATE TABLE mitarbeiter (mitarbeiter_id INTEGER PRIMARY KEY, vorname TEXT, nachname TEXT, gehalt REAL);
    CREATE TABLE bestellung (bestellung_id INTEGER PRIMARY KEY, kunde_id INTEGER REFERENCES kunde, bestelldatum DATE);
    CREATE TABLE bestellposition (bestellung_id INTEGER, artikel_id INTEGER, menge INTEGER, einzelpreis REAL,
        PRIMARY KEY (bestellung_id, artikel_id));
    INSERT INTO kunde VALUES (1, 'Eva Müller', 'Berlin'), (2, 'Jan Koch', 'Köln');
    INSERT INTO bestellung VALUES (1, 2, '2026-04-01'), (2, 2, '2026-04-03');
"""
SCHEMAS = {"German": GERMAN, "Spanish": SPANISH, "shop": SHOP}


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Analyst, sqlite3.Connection]]]:
    folder = tmp_path_factory.mktemp("foreign")
    found: dict[str, tuple[Analyst, sqlite3.Connection]] = {}
    for name, script in SCHEMAS.items():
        connection = sqlite3.connect(folder / f"{name}.sqlite")
        connection.executescript(script)
        found[name] = Analyst(read_catalog(f"sqlite:///{folder / name}.sqlite")), connection
    yield found
    for _, connection in found.values():
        connection.close()


@pytest.mark.parametrize(
    ("schema", "question", "rows"),
    [
        ("German", "How many Mitglieder are there?", [(3,)]),
        ("German", "How many Mitglieder live in Berlin?", [(2,)]),
        ("German", "list Mitglieder in Köln", [("Jan", "Koch")]),
        ("German", "list Mitglieder in Koln", [("Jan", "Koch")]),
        ("German", "Which Kurs has the most Buchungen?", [("Yoga", 2)]),
        ("German", "Which Mitglied has the most Buchungen?", [("Jan", "Koch", 2)]),
        ("German", "Which Kurse have no Buchungen?", [("Tanz",)]),
        ("German", "what is the Größe of the Halle?", [(300,)]),
        ("German", "Kurse by Raum", [("Saal", 2), ("Halle", 1)]),
        ("German", "most expensive Kurs", [("Tanz", 15.0)]),
        ("Spanish", "list clientes in Madrid", [("Ana", "Ruiz"), ("Ana", "Gil")]),
        ("Spanish", "names of clientes in Sevilla", [("Luis", "Díaz")]),
        ("Spanish", "which cliente has the most pedidos?", [("Ana", "Ruiz", 2)]),
        ("Spanish", "how many pedidos were there each month", [("2026-04", 2), ("2026-05", 1)]),
        ("Spanish", "revenue by producto", [("Vino", 36.0), ("Queso", 7.5)]),
        ("shop", "list kunden in Berlin", [("Eva Müller",)]),
        ("shop", "which kunde has the most bestellungen", [("Jan Koch", 2)]),
        ("shop", "how many customers are there", [(2,)]),
        ("shop", "which customers live in Berlin?", [("Eva Müller",)]),
    ],
)
def test_an_english_question_is_answered_over_a_schema_in_another_language(
    schema: str, question: str, rows: Sequence[object], databases: dict[str, tuple[Analyst, sqlite3.Connection]]
) -> None:
    analyst, connection = databases[schema]
    assert connection.execute(analyst.understand(question, TODAY).sql).fetchall() == rows


@pytest.mark.parametrize("schema", SCHEMAS)
def test_no_word_of_another_language_gets_an_english_plural(
    schema: str, databases: dict[str, tuple[Analyst, sqlite3.Connection]]
) -> None:
    analyst, _ = databases[schema]
    said = " ".join(first_questions(analyst, TODAY))
    assert analyst.lexicon.naming.say_table(analyst.lexicon.catalog.tables[0].name) in said
    for bent in ("Mitglieders", "Kurses", "Buchungens", "Räumes", "kundes", "bestellungs", "mitarbeiters"):
        assert bent not in said


@pytest.mark.parametrize(
    ("columns", "values", "sql", "told"),
    [
        (
            ("Bezeichnung",),
            (("Halle",), ("Saal",)),
            'SELECT Bezeichnung FROM "Räume"',
            "There are 2 Räume: Halle and Saal.",
        ),
        (("Buchung_ID",), ((1,), (2,)), "SELECT Buchung_ID FROM Buchungen", "There are 2 Buchungen: 1 and 2."),
        (
            ("Vorname", "Nachname"),
            (("Eva", "Müller"), ("Eva", "Koch")),
            "SELECT Vorname, Nachname FROM Mitglieder",
            "There are 2 Mitglieder: Eva Müller and Eva Koch.",
        ),
    ],
)
async def test_rows_are_told_by_their_tables_own_name(
    columns: tuple[str, ...],
    values: tuple[tuple[object, ...], ...],
    sql: str,
    told: str,
    databases: dict[str, tuple[Analyst, sqlite3.Connection]],
) -> None:
    said: list[str] = []

    async def say(text: str) -> None:
        said.append(text)

    rows = Rows(columns, values, truncated=False, seconds=0.0)
    naming = databases["German"][0].lexicon.naming
    await OfflineNarrator(naming).narrate(Question("list them", today=TODAY), Draft(sql, ""), rows, say)
    assert "".join(said) == told


@pytest.mark.parametrize(
    "question",
    [
        "Wie viele Mitglieder gibt es?",
        "Welcher Kurs hat die meisten Buchungen?",
        "Umsatz nach Monat",
        "¿Cuántos clientes hay?",
        "Muéstrame los pedidos de 2025",
        "Combien de clients y a-t-il ?",
        "Quel est le chiffre d'affaires ?",
        "Quanti clienti ci sono?",
        "Quantos clientes existem?",
        "Hoeveel klanten zijn er?",
        "Сколько клиентов?",
        "顧客は何人いますか",
    ],
)
def test_a_question_in_another_language_is_told_that_only_english_is_understood(
    question: str, databases: dict[str, tuple[Analyst, sqlite3.Connection]]
) -> None:
    for analyst, _ in databases.values():
        with pytest.raises(NotUnderstood) as declined:
            analyst.understand(question, TODAY)
        assert str(declined.value) == ENGLISH_ONLY


@pytest.mark.parametrize(
    "question",
    [
        "revenue in Rio de Janeiro",
        "sales los angeles",
        "orders Los Lobos de la Noche",
        "albums Die Toten Hosen",
        "list kunden in Berlin",
        "revenue per month",
        'list "Wie viele sind das"',
    ],
)
def test_foreign_names_make_no_english_question_foreign(question: str) -> None:
    assert not is_in_another_language(question)


def test_none_of_the_sample_questions_is_taken_for_another_language() -> None:
    questions = [case.question for case in read_cases([QUESTIONS / "sample.jsonl"])]
    assert questions
    assert not [q for q in questions if is_in_another_language(q)]
