"""The sample database's tables, the same for SQLite and PostgreSQL."""

from __future__ import annotations

import tomllib
from pathlib import Path

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
)

DESCRIPTIONS = Path(__file__).with_name("sample.toml")

metadata = MetaData()

MONEY = Numeric(10, 2)


def _number(name: str) -> Column[int]:
    return Column(name, Integer, primary_key=True, autoincrement=False)


def _refers(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Integer, ForeignKey(target), nullable=nullable, index=True)


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})")


stores = Table(
    "stores",
    metadata,
    _number("store_id"),
    Column("name", String(40), nullable=False, unique=True),
    Column("city", String(40), nullable=False),
    Column("country", String(40), nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("floor_area_m2", Integer, CheckConstraint("floor_area_m2 > 0"), nullable=False),
)

employees = Table(
    "employees",
    metadata,
    _number("employee_id"),
    Column("name", String(60), nullable=False),
    Column("job_title", String(40), nullable=False),
    _refers("store_id", "stores.store_id"),
    _refers("manager_id", "employees.employee_id", nullable=True),
    Column("hired_on", Date, nullable=False),
)

customers = Table(
    "customers",
    metadata,
    _number("customer_id"),
    Column("name", String(60), nullable=False),
    Column("email", String(80), nullable=False, unique=True),
    Column("city", String(40), nullable=False),
    Column("country", String(40), nullable=False),
    Column("joined_on", Date, nullable=False),
    Column("loyalty_tier", String(10), _one_of("loyalty_tier", "bronze", "silver", "gold"), nullable=False),
)

suppliers = Table(
    "suppliers",
    metadata,
    _number("supplier_id"),
    Column("name", String(60), nullable=False, unique=True),
    Column("country", String(40), nullable=False),
    Column("lead_time_days", Integer, CheckConstraint("lead_time_days > 0"), nullable=False),
)

categories = Table(
    "categories",
    metadata,
    _number("category_id"),
    Column("name", String(40), nullable=False, unique=True),
    Column("department", String(10), _one_of("department", "Coffee", "Tea", "Gear"), nullable=False),
)

products = Table(
    "products",
    metadata,
    _number("product_id"),
    Column("name", String(60), nullable=False, unique=True),
    _refers("category_id", "categories.category_id"),
    _refers("supplier_id", "suppliers.supplier_id"),
    Column("unit_price", MONEY, CheckConstraint("unit_price > 0"), nullable=False),
    Column("unit_cost", MONEY, CheckConstraint("unit_cost > 0"), nullable=False),
    Column("organic", Boolean, nullable=False),
    Column("launched_on", Date, nullable=False),
    Column("discontinued_on", Date),
    CheckConstraint("discontinued_on IS NULL OR discontinued_on >= launched_on"),
)

campaigns = Table(
    "campaigns",
    metadata,
    _number("campaign_id"),
    Column("name", String(60), nullable=False, unique=True),
    Column("medium", String(10), _one_of("medium", "email", "social", "search", "print", "radio"), nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("budget", MONEY, CheckConstraint("budget >= 0"), nullable=False),
    CheckConstraint("ends_on >= starts_on"),
)

orders = Table(
    "orders",
    metadata,
    _number("order_id"),
    _refers("customer_id", "customers.customer_id", nullable=True),
    _refers("store_id", "stores.store_id"),
    _refers("employee_id", "employees.employee_id", nullable=True),
    _refers("campaign_id", "campaigns.campaign_id", nullable=True),
    Column("channel", String(10), _one_of("channel", "store", "online", "app"), nullable=False),
    Column("status", String(12), _one_of("status", "completed", "shipped", "processing", "cancelled"), nullable=False),
    Column("placed_at", DateTime, nullable=False, index=True),
    Column("total", MONEY),
    # A cancelled order keeps no lines and was never paid, so sums over lines, totals and payments agree.
    CheckConstraint("(status = 'cancelled') = (total IS NULL)"),
)

order_items = Table(
    "order_items",
    metadata,
    _number("order_item_id"),
    _refers("order_id", "orders.order_id"),
    _refers("product_id", "products.product_id"),
    Column("quantity", Integer, CheckConstraint("quantity > 0"), nullable=False),
    Column("unit_price", MONEY, CheckConstraint("unit_price > 0"), nullable=False),
    Column("discount", MONEY, CheckConstraint("discount >= 0"), nullable=False),
    Column("line_total", MONEY, Computed("round(quantity * unit_price - discount, 2)", persisted=True)),
)

payments = Table(
    "payments",
    metadata,
    _number("payment_id"),
    _refers("order_id", "orders.order_id"),
    Column("method", String(12), _one_of("method", "card", "cash", "paypal", "gift card"), nullable=False),
    Column("amount", MONEY, CheckConstraint("amount > 0"), nullable=False),
    Column("paid_at", DateTime, nullable=False),
)

shipments = Table(
    "shipments",
    metadata,
    _number("shipment_id"),
    _refers("order_id", "orders.order_id"),
    Column("carrier", String(20), nullable=False),
    Column("shipped_on", Date, nullable=False),
    Column("delivered_on", Date),
    Column("shipping_cost", MONEY, CheckConstraint("shipping_cost >= 0"), nullable=False),
    CheckConstraint("delivered_on IS NULL OR delivered_on >= shipped_on"),
)

returns = Table(
    "returns",
    metadata,
    _number("return_id"),
    _refers("order_item_id", "order_items.order_item_id"),
    Column("returned_on", Date, nullable=False),
    Column(
        "reason",
        String(20),
        _one_of("reason", "defective", "damaged in transit", "wrong item", "changed mind", "not as described"),
        nullable=False,
    ),
    Column("refund_amount", MONEY, CheckConstraint("refund_amount >= 0"), nullable=False),
)

reviews = Table(
    "reviews",
    metadata,
    _number("review_id"),
    _refers("product_id", "products.product_id"),
    _refers("customer_id", "customers.customer_id"),
    Column("rating", Integer, CheckConstraint("rating BETWEEN 1 AND 5"), nullable=False),
    Column("comment", String(120)),
    Column("reviewed_on", Date, nullable=False),
)

visits = Table(
    "visits",
    metadata,
    Column("store_id", Integer, ForeignKey("stores.store_id"), primary_key=True),
    Column("visited_on", Date, primary_key=True),
    Column("visitors", Integer, CheckConstraint("visitors >= 0"), nullable=False),
)


def describe(tables: MetaData = metadata) -> None:
    """Put the descriptions of sample.toml on the tables, so that a database with comments gets them as comments."""
    described = tomllib.loads(DESCRIPTIONS.read_text(encoding="utf-8"))["tables"]
    for table in tables.sorted_tables:
        texts = described[table.name]
        table.comment = texts["description"]
        for column in table.columns:
            column.comment = texts["columns"][column.name]
