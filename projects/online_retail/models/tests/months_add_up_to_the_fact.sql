-- The months together are worth what the fact is worth.
with months as (

    select coalesce(sum(revenue), 0) as revenue, coalesce(sum(lines), 0) as lines from {{ ref('monthly_revenue') }}

),

sales as (

    select coalesce(sum(line_value), 0) as revenue, count(*) as lines from {{ ref('fact_sales') }}

)

select
    months.revenue as months_revenue,
    sales.revenue as fact_revenue,
    months.lines as months_lines,
    sales.lines as fact_lines
from months
cross join sales
where months.revenue <> sales.revenue or months.lines <> sales.lines
