{# A model's schema is what it declares: `gold` is gold, never `main_gold`. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
