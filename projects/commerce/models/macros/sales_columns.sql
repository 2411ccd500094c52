{# The sums of the ledger that every revenue mart shows, so that none has a formula of its own. #}
{% macro sales_columns(quantity='quantity', amount='base_amount', cost='base_cost') -%}
    cast(sum({{ quantity }}) as bigint) as quantity,
    {{ base_sum(amount, "entry_type = 'sale'") }} as gross_sales,
    {{ base_sum('-' ~ amount, "entry_type = 'discount'") }} as discounts,
    {{ base_sum('-' ~ amount, "entry_type = 'cancellation'") }} as cancellations,
    {{ base_sum('-' ~ amount, "entry_type = 'return'") }} as returns,
    {{ base_sum(amount, 'is_net_sales') }} as net_sales,
    {{ base_sum(cost) }} as cost,
    cast(
        {{ base_sum(amount, 'is_net_sales') }} - {{ base_sum(cost) }} as decimal(38, 12)
    ) as gross_profit
{%- endmacro %}

{# The same of what came and went. #}
{% macro moved_sales_columns() -%}
    {{ sales_columns(penstock_signed('quantity'), penstock_signed('base_amount'), penstock_signed('base_cost')) }}
{%- endmacro %}

{# The same of rows that hold them already. #}
{% macro total_sales_columns() -%}
    cast(sum(quantity) as bigint) as quantity,
    {% for name in [
        'gross_sales', 'discounts', 'cancellations', 'returns', 'net_sales', 'cost', 'gross_profit'
    ] -%}
    {{ total(name) }} as {{ name }}{{ ',' if not loop.last }}
    {% endfor -%}
{%- endmacro %}
