"""What the report shows: each panel asks the published file, draws, and says what it drew."""

from __future__ import annotations

from orchestration.serving import attention, charts, identity, journey, prediction_panels
from orchestration.serving.panel import (
    Chart,
    Figures,
    Panel,
    Published,
    begin,
    rows_if_there,
    share,
)

MOST_BARS = 12
HISTOGRAM_BARS = 30
QUARANTINED, DUPLICATE, SUPERSEDED = "Quarantined", "Duplicate", "Superseded"


def all_panels(published: Published) -> list[Panel]:
    """Every panel of the page, in order."""
    return [
        journey.stages(published),
        attention.warnings(published),
        journey.cohorts(published),
        rfm(published),
        journey.rfm_movement(published),
        attention.activity(published),
        attention.funnels(published),
        sales(published),
        channels(published),
        value(published),
        *prediction_panels.all_panels(published),
        quality(published),
    ]


def rfm(published: Published) -> Panel:
    """The grid of scores and the sizes of the eleven classes, on the as-of day."""
    tables = ["customer_rfm", "rfm_class_sizes"]
    panel = begin(
        "rfm",
        "RFM: how recently, how often, for how much",
        "Customers who ever bought, scored 1 to 5 by days since the last valid order and by the "
        "mean of the scores for number of orders and net sales in the window; a one-time buyer "
        "scores at most 2 there. Ties share a score.",
        tables,
    )
    cells = rows_if_there(
        published,
        tables,
        """
        select
            r_score as r, fm_score as fm, min(western_class_zh) as short,
            min(labels.label_en || ' ' || labels.label_zh) as class, count(*) as customers,
            count(*) / sum(count(*)) over () as share, sum(customer_rfm.monetary_amount) as money
        from customer_rfm
        left join rfm_class_sizes as labels
            on customer_rfm.western_class = labels.class_code and customer_rfm.as_of = labels.as_of
            and labels.class_scheme = 'western'
        where customer_rfm.as_of = ? and r_score is not null and fm_score is not null
        group by r_score, fm_score order by r_score, fm_score
        """,
        published.version["as_of"],
    )
    if not cells:
        return panel("Nobody has bought yet.")
    classes = published.rows(
        """
        select label_en || ' ' || label_zh as name, customer_count as value, customer_rate as share,
            monetary_amount as money, monetary_rate as money_share
        from rfm_class_sizes where as_of = ? and class_scheme = 'western' order by display_order
        """,
        published.version["as_of"],
    )
    best = max(classes, key=lambda row: row["money_share"] or 0)
    finding = (
        f"{sum(cell['customers'] for cell in cells):,} customers have bought; the class "
        f"{best['name']} ({share(best['share'])} of them) brings {share(best['money_share'])} "
        "of the money in the window."
    )
    pictures = [
        Chart(
            "Customers by score",
            "A grid of five recency scores by five scores for frequency and money.",
            charts.rfm_grid(cells),
        ),
        Chart(
            "Customers by class",
            f"Bars for the eleven classes. {finding}",
            charts.bars(classes, "Customers", money=False, height=30 * len(classes)),
        ),
    ]
    figures = Figures(
        ["Class", "Customers", "Share", "Money in the window", "Share"],
        [
            [
                row["name"],
                f"{row['value']:,}",
                share(row["share"]),
                published.money(row["money"]),
                share(row["money_share"]),
            ]
            for row in classes
        ],
    )
    return panel(finding, pictures, figures)


def sales(published: Published) -> Panel:
    """Net sales in both senses, gross profit and margin by month."""
    table = "sales_monthly"
    panel = begin(
        "sales",
        "Net sales and margin by month",
        "Net sales by order day lower the month of the order by its refunds; by refund day each "
        "refund lowers the month in which it was paid back. Gross profit counts the lines whose "
        "cost is known, so the margin is a lower bound where some costs are missing. The last "
        "month may be incomplete.",
        [table],
    )
    months = rows_if_there(
        published,
        [table],
        """
        select
            strftime(month_on, '%Y-%m') as month, sum(order_count) as orders,
            sum(net_sales_by_order_day_amount) as by_order,
            sum(net_sales_by_refund_day_amount) as by_refund, sum(gross_profit_amount) as profit,
            sum(gross_profit_amount) / nullif(sum(net_sales_by_order_day_amount), 0) as rate
        from sales_monthly group by month_on order by month_on
        """,
    )
    if not months:
        return panel("No order or refund is landed.")
    measures = dict(zip(charts.SALES_MEASURES, ("by_order", "by_refund", "profit"), strict=True))
    lines = [
        {"month": month["month"], "measure": measure, "amount": month[column]}
        for month in months
        for measure, column in measures.items()
        if month[column] is not None
    ]
    total = sum(month["by_order"] or 0 for month in months)
    profits = [month["profit"] for month in months if month["profit"] is not None]
    margin = sum(profits) / total if profits and total else None
    finding = f"{published.money(total)} net sales in {len(months)} months" + (
        f", {share(margin)} of it gross profit." if margin is not None else "; no cost is known."
    )
    pictures = [
        Chart(
            f"Net sales and gross profit, {published.currency}",
            f"Lines by month. {finding}",
            charts.sales_and_profit(lines, published.currency),
        )
    ]
    rates = [month for month in months if month["rate"] is not None]
    if rates:
        pictures.append(
            Chart(
                "Gross margin",
                "Gross profit as a share of net sales by order day, by month.",
                charts.rate_line(rates, "Margin"),
            )
        )
    figures = Figures(
        ["Month", "Orders", "Net sales by order day", "By refund day", "Gross profit", "Margin"],
        [
            [
                month["month"],
                f"{month['orders']:,}",
                published.money(month["by_order"]),
                published.money(month["by_refund"]),
                published.money(month["profit"]),
                share(month["rate"]),
            ]
            for month in reversed(months)
        ],
    )
    return panel(finding, pictures, figures)


def channels(published: Published) -> Panel:
    """Where the sales of the last twelve months came from."""
    tables = ["sales_monthly", "dim_channel"]
    panel = begin(
        "channels",
        "Channel mix, last twelve months",
        "Net sales by order day of the twelve months that end with the as-of month, by the "
        "channel of the order; refunds without an order are unattributed.",
        tables,
    )
    rows = rows_if_there(
        published,
        tables,
        """
        with recent as (
            select
                channel_code, sum(net_sales_by_order_day_amount) as value,
                sum(order_count) as orders
            from sales_monthly
            where month_on > cast(? as date) - interval 12 month
            group by channel_code
        )
        select
            case
                when label_en <> label_zh then label_en || ' ' || label_zh
                else coalesce(label_en, recent.channel_code)
            end as name,
            value, orders, value / nullif(sum(value) over (), 0) as share,
            value / nullif(orders, 0) as mean
        from recent left join dim_channel on recent.channel_code = dim_channel.channel_code
        where value <> 0 or orders <> 0
        order by value desc, recent.channel_code
        """,
        published.version["as_of"],
    )
    if not rows:
        return panel("No sale in the last twelve months.")
    finding = (
        f"{len(rows)} channels; {rows[0]['name']} brings {share(rows[0]['share'])} of net sales."
    )
    shown = rows[:MOST_BARS]
    chart = Chart(
        f"Net sales by channel, {published.currency}",
        f"Bars by channel, largest first. {finding}",
        charts.bars(
            shown, f"Net sales, {published.currency}", money=True, height=max(120, 30 * len(shown))
        ),
    )
    figures = Figures(
        ["Channel", "Orders", "Net sales", "Share", "Per order"],
        [
            [
                row["name"],
                f"{row['orders']:,}",
                published.money(row["value"]),
                share(row["share"]),
                published.money(row["mean"]),
            ]
            for row in rows
        ],
    )
    return panel(finding, [chart], figures)


def value(published: Published) -> Panel:
    """How customer value is distributed and concentrated, on the as-of day."""
    tables = ["customer_clv", "clv_concentration"]
    panel = begin(
        "value",
        "Customer lifetime value so far",
        "What each buyer has brought, not a prediction: average order x orders per year x years "
        "observed, less the cost of winning the customer where it is known (formula C). It "
        "counts net sales, not margin, so it does not add up with predicted value. The last bar "
        "holds everybody above the 99th percentile, the first everybody below the 1st. Buyers are "
        "ranked by net sales for the curve.",
        tables,
    )
    buyers = """
        select coalesce(clv_formula_c_realised, net_sales_amount) as v
        from customer_clv where as_of = ? and order_count > 0
    """
    bars = rows_if_there(
        published,
        tables,
        f"""
        with buyers as ({buyers}),
        limits as (
            select
                cast(quantile_disc(v, 0.01) as double) as low,
                greatest(cast(quantile_disc(v, 0.99) - quantile_disc(v, 0.01) as double), 1)
                    / {HISTOGRAM_BARS} as width,
                count(*) as n
            from buyers
        ),
        binned as (
            select
                least(greatest(floor((v - low) / width), 0), {HISTOGRAM_BARS - 1}) as bin,
                low, width, n
            from buyers cross join limits
        )
        select
            low + bin * width as low, low + (bin + 1) * width as high,
            count(*) as customers, count(*) / n as share
        from binned group by bin, low, width, n order by bin
        """,
        published.version["as_of"],
    )
    if not bars:
        return panel("Nobody has bought yet.")
    middle = published.rows(
        f"""
        select median(v) as median, avg(cast(v as double)) as mean, count(*) as n
        from ({buyers})
        """,
        published.version["as_of"],
    )[0]
    curve = published.rows(
        """
        select cumulative_customer_rate as buyers, cumulative_net_sales_rate as sales, decile
        from clv_concentration where as_of = ? order by percentile
        """,
        published.version["as_of"],
    )
    finding = (
        f"{middle['n']:,} buyers; the median is {published.money(middle['median'])}, the mean "
        f"{published.money(middle['mean'])}."
    )
    pictures = [
        Chart(
            f"Buyers by value, {published.currency}",
            f"Histogram. {finding}",
            charts.histogram(bars, f"Value so far, {published.currency}"),
        )
    ]
    best = [
        point["sales"] for point in curve if point["decile"] == 1 and point["sales"] is not None
    ]
    if best:
        finding += f" The best tenth carries {share(max(best))} of net sales."
        points = [
            {"buyers": 0, "sales": 0},
            *({k: p[k] for k in ("buyers", "sales")} for p in curve),
        ]
        pictures.append(
            Chart(
                "Concentration",
                "Share of net sales carried by the best buyers; the dashed line is an even spread.",
                charts.concentration(points),
            )
        )
    deciles = published.rows(
        """
        select decile, sum(customer_count) as customers, sum(net_sales_amount) as money,
            sum(net_sales_rate) as share
        from clv_concentration where as_of = ? group by decile order by decile
        """,
        published.version["as_of"],
    )
    figures = Figures(
        ["Tenth of buyers", "Buyers", "Net sales", "Share"],
        [
            [
                str(row["decile"]),
                f"{row['customers']:,}",
                published.money(row["money"]),
                share(row["share"]),
            ]
            for row in deciles
        ],
    )
    return panel(finding, pictures, figures)


def quality(published: Published) -> Panel:
    """What became of every raw record, and why some are not in the marts."""
    tables = ["data_quality_tables", "data_quality_reasons", "reconciliation_files"]
    panel = begin(
        "quality",
        "Data quality: where every raw record went",
        "Raw records are counted from the bytes of each file. Each one is loaded, in quarantine "
        "with its reason, a duplicate, or an older version of a record that counts. A refused "
        "file is not read at all and has no count.",
        tables,
    )
    rows = rows_if_there(
        published,
        tables,
        """
        select
            channel, sum(landed_file_count) as files, sum(refused_file_count) as refused,
            sum(raw_count) as raw, sum(loaded_count) as loaded,
            sum(landing_quarantined_count + unified_quarantined_count) as quarantined,
            sum(duplicate_count) as duplicate, sum(superseded_count) as superseded
        from data_quality_tables group by channel order by raw desc, channel
        """,
    )
    if not rows:
        return panel("No file has been landed.")
    total = {key: sum(row[key] for row in rows) for key in rows[0] if key != "channel"}
    differing = published.rows(
        "select count(*) as n from reconciliation_files where difference_records <> 0"
    )[0]["n"]
    finding = (
        f"{total['raw']:,} raw records in {total['files']:,} files = {total['loaded']:,} loaded + "
        f"{total['quarantined']:,} quarantined + {total['duplicate']:,} duplicate + "
        f"{total['superseded']:,} superseded; {differing:,} files do not add up, "
        f"{total['refused']:,} were refused."
    )
    if newest := rows_if_there(published, [identity.TABLE], identity.NEWEST):
        finding += f" Identity: {identity.sentence(newest)}."
    kinds = {QUARANTINED: "quarantined", DUPLICATE: "duplicate", SUPERSEDED: "superseded"}
    lost = [
        {
            "channel": row["channel"],
            "outcome": kind,
            "records": row[column],
            "share": row[column] / row["raw"] if row["raw"] else None,
        }
        for row in rows
        for kind, column in kinds.items()
    ]
    pictures = [
        Chart(
            "Records that are not loaded, by channel",
            "Bars by channel: quarantined, duplicate and superseded records.",
            charts.outcomes(lost, list(kinds)),
        )
    ]
    reasons = published.rows(
        """
        select reason as name, sum(record_count) as value,
            sum(record_count) / nullif(sum(sum(record_count)) over (), 0) as share
        from data_quality_reasons group by reason order by value desc, reason
        """
    )
    if reasons:
        shown = reasons[:MOST_BARS]
        pictures.append(
            Chart(
                "Quarantined records by reason",
                f"Bars by reason, most frequent first; {len(reasons)} reasons in all.",
                charts.bars(shown, "Records", money=False, height=max(120, 28 * len(shown))),
            )
        )
    figures = Figures(
        ["Channel", "Files", "Refused", "Raw", "Loaded", "Quarantined", "Duplicate", "Superseded"],
        [[row["channel"], *(f"{row[key]:,}" for key in total)] for row in rows],
    )
    return panel(finding, pictures, figures)
