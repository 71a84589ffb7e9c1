"""Knows what names of schemas in other languages mean in English, and whether a schema is in one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agents.offline.english.vocabulary import ABBREVIATIONS, PEOPLE, SCHEMA_WORDS, SYNONYMS
from agents.offline.english.words import unaccented

_ENOUGH = 2
"""Names of a language that a schema must hold to be in it."""
_PART = 4
"""One in so many of a schema's names must be known of its language."""
_MANY = 5
"""Names that a schema must hold before it counts that not one of them is known to be English."""
_LINKS = ("", "s", "es", "n", "en", "e")
"""What German and Dutch put between the parts of a word."""
_SHORTEST = 3


def _table(text: str) -> dict[str, tuple[str, ...]]:
    """Return each foreign word's English ones; a line is "the English = the foreign words"."""
    found = {}
    for line in text.strip().splitlines():
        english, _, foreign = line.partition("=")
        found.update({word: tuple(english.split()) for word in foreign.split()})
    return found


_LANGUAGES: Mapping[str, dict[str, tuple[str, ...]]] = {
    "German": _table("""
        customer = kunde
        member = mitglied
        employee = mitarbeiter angestellter personal
        person = person
        supplier = lieferant
        student = schuler
        teacher = lehrer
        patient = patient
        product = produkt artikel ware
        order = bestellung auftrag
        invoice = rechnung
        delivery = lieferung
        payment = zahlung
        booking = buchung
        position = position
        course = kurs
        book = buch
        loan = ausleihe
        contract = vertrag
        department = abteilung
        company = firma unternehmen
        room = raum zimmer
        house = haus
        vehicle = fahrzeug
        visit = besuch
        category = kategorie
        kind = art typ
        first name = vorname
        last name = nachname familienname
        name = bezeichnung name
        title = titel
        description = beschreibung
        gender = geschlecht
        birth = geburt geburts
        age = alter
        city = stadt ort
        postcode = plz postleitzahl
        street = strasse
        address = adresse anschrift
        country = land
        phone = telefon telefonnummer
        date = datum
        year = jahr
        month = monat
        price = preis
        unit = einzel
        amount = betrag
        revenue = umsatz
        cost = kosten
        quantity = menge anzahl stuckzahl
        stock = lagerbestand bestand
        salary = gehalt lohn
        grade = note
        duration = dauer
        size = grosse
        number = nummer nr
        entry = eintritt beitritt
    """),
    "Spanish": _table("""
        customer = cliente
        member = socio miembro
        employee = empleado trabajador
        supplier = proveedor
        student = alumno estudiante
        teacher = profesor maestro
        patient = paciente
        product = producto articulo
        order = pedido
        sale = venta
        invoice = factura
        payment = pago
        line = linea
        booking = reserva
        course = curso
        book = libro
        author = autor
        loan = prestamo
        department = departamento
        company = empresa
        shop = tienda
        warehouse = almacen
        room = habitacion sala
        category = categoria
        kind = tipo
        status = estado
        name = nombre
        last name = apellido
        title = titulo
        description = descripcion
        gender = genero sexo
        birth = nacimiento
        age = edad
        city = ciudad
        region = region
        postcode = postal
        street = calle
        address = direccion
        country = pais
        phone = telefono
        email = correo
        date = fecha
        year = ano anio
        month = mes
        price = precio
        unit = unitario
        amount = importe monto
        quantity = cantidad
        stock = existencia
        salary = salario sueldo
        grade = nota calificacion
        duration = duracion
        number = numero
    """),
    "French": _table("""
        customer = client
        member = membre adherent
        employee = employe salarie
        supplier = fournisseur
        student = eleve etudiant
        teacher = professeur enseignant
        patient = patient
        product = produit
        order = commande
        sale = vente
        invoice = facture
        payment = paiement
        line = ligne
        course = cours
        book = livre
        author = auteur
        loan = emprunt
        department = departement
        company = entreprise societe
        shop = magasin boutique
        room = salle chambre
        category = categorie
        first name = prenom
        name = nom intitule libelle
        title = titre
        gender = sexe
        birth = naissance
        city = ville
        postcode = postal
        street = rue
        address = adresse
        country = pays
        phone = telephone
        email = courriel
        year = annee
        month = mois
        price = prix
        amount = montant
        quantity = quantite
        salary = salaire
        grade = note
        duration = duree
        number = numero
    """),
    "Italian": _table("""
        customer = cliente
        employee = dipendente impiegato
        supplier = fornitore
        student = studente
        product = prodotto articolo
        order = ordine
        sale = vendita
        invoice = fattura
        name = nome
        last name = cognome
        title = titolo
        birth = nascita
        city = citta
        address = indirizzo
        country = paese
        phone = telefono
        year = anno
        price = prezzo
        amount = importo
        quantity = quantita
        salary = stipendio
        number = numero
    """),
    "Portuguese": _table("""
        customer = cliente
        employee = funcionario empregado
        supplier = fornecedor
        student = aluno
        product = produto
        order = encomenda pedido
        sale = venda
        invoice = fatura
        name = nome
        last name = sobrenome apelido
        title = titulo
        birth = nascimento
        city = cidade
        address = endereco morada
        country = pais
        phone = telefone
        year = ano
        date = data
        price = preco
        amount = valor
        quantity = quantidade
        salary = salario
        number = numero
    """),
    "Dutch": _table("""
        customer = klant
        employee = medewerker werknemer
        supplier = leverancier
        student = leerling
        product = artikel
        order = bestelling
        invoice = factuur
        first name = voornaam
        last name = achternaam
        name = naam omschrijving
        birth = geboorte
        city = stad plaats woonplaats
        address = adres
        country = land
        phone = telefoon
        year = jaar
        date = datum
        price = prijs
        amount = bedrag
        quantity = aantal
        salary = salaris
        number = nummer
    """),
}
_GLUED = frozenset({"German", "Dutch"})
"""Languages that write words for several things as one."""
_NOUN_FIRST = frozenset({"Spanish", "French", "Italian", "Portuguese"})
"""Languages that name the thing before what is said of it: the date of an order is fecha_pedido."""
_OF = frozenset("de del des du d di da do la le el der".split())
_ENGLISH = frozenset(
    unaccented(w) for w in (*SCHEMA_WORDS, *PEOPLE, *ABBREVIATIONS, *(w for group in SYNONYMS for w in group))
) - frozenset(w for words in _LANGUAGES.values() for w in words)
_ANYWHERE = frozenset("active article client code date description email id minute note service status total".split())
"""Names that say nothing about a schema's language."""


class Language:
    """A language that a schema is in; `name` is empty where nobody knows which."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._words = _LANGUAGES.get(name, {})

    def in_english(self, word: str) -> tuple[str, ...]:
        """Return what one lower-case word of a name means, as English words; nothing where that is not known."""
        plain = unaccented(word)
        found = self._known(plain)
        if found or self.name not in _GLUED:
            return found
        for at in range(_SHORTEST, len(plain) - _SHORTEST + 1):
            first, last = plain[:at], self._known(plain[at:])
            parts = (self._known(first.removesuffix(link)) for link in _LINKS if first.endswith(link))
            begins = next(filter(None, parts), ())
            if last and (begins or len(plain) - at > _SHORTEST):
                return (*(begins or (first,)), *last)
        return ()

    def in_english_order(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Return a name's words with the noun last: of date, order it makes order, date."""
        if self.name not in _NOUN_FIRST or len(words) < 2 or words in self._words.values():
            return words
        found = [w for w in reversed(words) if w not in _OF]
        return (*(w for w in found if w != "id"), *(w for w in found if w == "id"))

    def _known(self, plain: str) -> tuple[str, ...]:
        return next((self._words[form] for form in singulars(plain) if form in self._words), ())


def singulars(plain: str) -> Iterable[str]:
    """Yield what an unaccented word may be the plural of, itself first, as the languages known here form it."""
    yield plain
    for ending in ("nen", "en", "es", "er", "n", "e", "s", "x"):
        if plain.endswith(ending) and len(plain) - len(ending) >= _SHORTEST:
            yield plain.removesuffix(ending)
    if plain.endswith(("i", "e")) and len(plain) > _SHORTEST:
        yield from (plain[:-1] + vowel for vowel in "oea")


def bent(word: str) -> Iterable[str]:
    """Yield a noun as it is written, and as its plural may be where it is a singular: kunden of kunde."""
    yield word
    if len(word) > _SHORTEST:
        yield from (word + ending for ending in ("n", "en", "e", "er", "es", "x"))
        yield from (word[:-1] + vowel for vowel in "ie" if word[-1] in "oea")


def language_of(names: Iterable[str], parts: Iterable[str] = ()) -> Language | None:
    """Return the language that a schema's names are in, by their lower-case words, or None for English.

    `parts` are the words that English names are glued from, which speak for English only.
    """
    words = {w for w in map(unaccented, names) if len(w) >= _SHORTEST} - _ANYWHERE
    english = len((words | set(parts)) & _ENGLISH)
    fits = {name: sum(bool(Language(name).in_english(w)) for w in words - _ENGLISH) for name in _LANGUAGES}
    best = max(fits, key=lambda name: fits[name])
    if fits[best] >= max(_ENOUGH, english + 1, len(words) / _PART):
        return Language(best)
    return Language() if not english and len(words) >= _MANY else None
